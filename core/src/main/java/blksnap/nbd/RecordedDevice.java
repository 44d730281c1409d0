package blksnap.nbd;

import blksnap.device.BlockDevice;
import blksnap.flight.Flight;
import blksnap.flight.SlowIoEvent;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The device of an export, as the requests of clients reach it: what takes long is told to the
 * flight recorder, if one runs. Its user closes the device itself.
 */
final class RecordedDevice implements BlockDevice {
  private final BlockDevice device;
  private final String export;

  RecordedDevice(BlockDevice device, String export) {
    this.device = device;
    this.export = export;
  }

  @Override
  public long sizeBytes() {
    return device.sizeBytes();
  }

  @Override
  public boolean readOnly() {
    return device.readOnly();
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    int length = target.remaining();
    SlowIoEvent event = Flight.slowIo();
    try {
      device.read(offset, target);
    } finally {
      finish(event, "read", offset, length);
    }
  }

  @Override
  public void write(long offset, ByteBuffer source) throws IOException {
    int length = source.remaining();
    SlowIoEvent event = Flight.slowIo();
    try {
      device.write(offset, source);
    } finally {
      finish(event, "write", offset, length);
    }
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    SlowIoEvent event = Flight.slowIo();
    try {
      device.discard(offset, length);
    } finally {
      finish(event, "discard", offset, length);
    }
  }

  @Override
  public void writeZeroes(long offset, long length, boolean noHole) throws IOException {
    SlowIoEvent event = Flight.slowIo();
    try {
      device.writeZeroes(offset, length, noHole);
    } finally {
      finish(event, "zero", offset, length);
    }
  }

  @Override
  public boolean zeroesFast(boolean noHole) {
    return device.zeroesFast(noHole);
  }

  @Override
  public void flush() throws IOException {
    SlowIoEvent event = Flight.slowIo();
    try {
      device.flush();
    } finally {
      finish(event, "flush", 0, 0);
    }
  }

  @Override
  public List<Extent> allocation(long offset, long length, int maxExtents) throws IOException {
    SlowIoEvent event = Flight.slowIo();
    try {
      return device.allocation(offset, length, maxExtents);
    } finally {
      finish(event, "allocation", offset, length);
    }
  }

  private void finish(@Nullable SlowIoEvent event, String operation, long offset, long length) {
    if (event != null) {
      event.finish(export, operation, offset, length);
    }
  }

  @Override
  public void close() throws IOException {
    device.close();
  }
}
