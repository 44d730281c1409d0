package blksnap.diffarea;

/** Looks into an area for tests. */
public final class AreaProbe {
  private AreaProbe() {}

  /** Gets each block held, with where it is. */
  public interface Visitor {
    void block(boolean isPrivate, long block, long location);
  }

  public static void visit(DiffArea area, Visitor visitor) {
    area.preserved().forEach((block, location, sum) -> visitor.block(false, block, location));
    area.privateBlocks().forEach((block, location, sum) -> visitor.block(true, block, location));
  }
}
