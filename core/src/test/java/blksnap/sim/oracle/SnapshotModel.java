package blksnap.sim.oracle;

import blksnap.snapshot.Durability;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A snapshot, as far as was asked for and answered. */
final class SnapshotModel {
  enum State {
    CREATING,
    CREATED,
    TAKING,
    TAKEN,
    DESTROYING
  }

  final String name;
  final List<String> devices;
  final Durability durability;
  final Map<String, ImageModel> images = new LinkedHashMap<>();
  State state = State.CREATING;

  /** Somebody is at it. */
  boolean busy;

  /** It may be EIO by now, for a reason that is known. */
  boolean mayBreak;

  /** The engine said that a restart may not know it for corrupt, and then the power was cut. */
  boolean forgotten;

  /** It has less storage than it needs, and would break older ones as well. */
  boolean small;

  /** Writers wait when its storage is full. */
  boolean waits;

  SnapshotModel(String name, List<String> devices, Durability durability) {
    this.name = name;
    this.devices = devices;
    this.durability = durability;
  }
}
