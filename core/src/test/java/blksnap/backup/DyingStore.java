package blksnap.backup;

import blksnap.linux.NativeFile;
import blksnap.qcow2.ByteFile;
import java.io.Closeable;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * A store whose process is killed at a moment: the change of that number is not made, and nothing
 * is done after it, not even what tidies up.
 */
final class DyingStore implements BackupStore {
  private final BackupStore store;
  private int left;

  /**
   * @param changes how many are made before the kill
   */
  DyingStore(BackupStore store, int changes) {
    this.store = store;
    this.left = changes;
  }

  boolean isDead() {
    return left < 0;
  }

  private synchronized void change() throws IOException {
    if (--left < 0) {
      left = -1;
      throw new IOException("killed");
    }
  }

  @Override
  public String name() {
    return store.name();
  }

  @Override
  public List<String> devices() throws IOException {
    return store.devices();
  }

  @Override
  public List<String> files(String device) throws IOException {
    return store.files(device);
  }

  @Override
  public byte[] read(String device, String file, int mostBytes) throws IOException {
    return store.read(device, file, mostBytes);
  }

  @Override
  public ByteFile open(String device, String file) throws IOException {
    return store.open(device, file);
  }

  @Override
  public void write(String device, String file, byte[] content) throws IOException {
    change();
    store.write(device, file, content);
  }

  @Override
  public Draft draft(String device, String file) throws IOException {
    change();
    Draft draft = store.draft(device, file);
    return new Draft() {
      @Override
      public NativeFile file() {
        return draft.file();
      }

      @Override
      public void publish(Transfer transfer) throws IOException {
        change();
        draft.publish(transfer);
      }

      @Override
      public void close() throws IOException {
        if (isDead()) {
          draft.file().close(); // as the kernel does it
        } else {
          draft.close();
        }
      }
    };
  }

  @Override
  public Optional<Unsent> keep(Manifest point, Optional<UUID> below, Transfer transfer)
      throws IOException {
    return store.keep(point, below, transfer);
  }

  @Override
  public List<Unsent> unsent(String device) throws IOException {
    return store.unsent(device);
  }

  @Override
  public void delete(String device, String file) throws IOException {
    change();
    store.delete(device, file);
  }

  @Override
  public Closeable lock(String device) throws IOException {
    return store.lock(device);
  }

  @Override
  public void removeDrafts(String device) throws IOException {
    change();
    store.removeDrafts(device);
  }

  @Override
  public void close() throws IOException {
    store.close();
  }
}
