package blksnap.snapshot;

import blksnap.cbt.CbtSnapshot;
import blksnap.diffarea.AreaChain;
import blksnap.diffarea.AreaConfig;
import blksnap.diffarea.AreaListener;
import blksnap.diffarea.DiffArea;
import blksnap.diffarea.ImageLayer;
import blksnap.diffarea.ImageReader;
import blksnap.error.Errno;
import blksnap.eventqueue.Event;
import blksnap.param.Parameter;
import blksnap.snapimage.SnapImage;
import blksnap.tracker.TrackedDevice;
import java.io.IOException;
import java.util.Optional;

/** Makes the areas and images of snapshots, in a take and in a recovery alike. */
final class PartFactory {
  private final SnapshotContext context;
  private final SnapshotStore store;

  PartFactory(SnapshotContext context, SnapshotStore store) {
    this.context = context;
    this.store = store;
  }

  AreaConfig config(Snapshot snapshot, String device, SnapshotRecord.Area area) {
    return new AreaConfig(
        area.id(),
        area.sizeBytes(),
        area.chunkShift(),
        area.logged()
            ? Optional.of(store.part(snapshot.id(), device).resolve("map"))
            : Optional.empty(),
        area.syncEach(),
        snapshot.config().onFull());
  }

  DiffArea create(Snapshot snapshot, String device, AreaConfig config) throws IOException {
    return DiffArea.create(
        config,
        snapshot.storage(),
        context.storages(),
        context.diffIo(),
        listener(snapshot, device));
  }

  DiffArea recover(Snapshot snapshot, String device, AreaConfig config, boolean powerLost)
      throws IOException {
    return DiffArea.recover(
        config,
        snapshot.storage(),
        context.storages(),
        context.diffIo(),
        listener(snapshot, device),
        powerLost);
  }

  private AreaListener listener(Snapshot snapshot, String device) {
    String image = "snapshot " + snapshot.name() + ": image of " + device;
    return new AreaListener() {
      @Override
      public void corrupted(Errno cause, String why) {
        context.log().error(image + " is corrupt (" + cause + "): " + why);
        snapshot.events().post(new Event.Corrupted(device, cause));
      }

      @Override
      public void notRemembered(String why) {
        context
            .log()
            .error(image + ": its end could not be stored, a restart may not know it: " + why);
      }

      @Override
      public void remembered() {
        context.log().info(image + ": its end is stored now");
      }
    };
  }

  SnapshotPart.Taken part(TrackedDevice device, DiffArea area, CbtSnapshot frozen) {
    AreaChain chain = device.chain();
    var reader =
        new ImageReader(
            chain, area, () -> context.parameters().getInt(Parameter.CHUNK_MAXIMUM_IN_CACHE));
    var image =
        new SnapImage(
            new ImageLayer(reader),
            area.config().sizeBytes(),
            (offset, length) -> device.markImage(frozen, offset, length));
    return new SnapshotPart.Taken(device.name(), area, frozen, image);
  }
}
