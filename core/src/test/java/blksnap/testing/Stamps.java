package blksnap.testing;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Writers that fill whole blocks with numbers, and what an image of one moment may show of them.
 * The writes of one block must follow each other, by one writer at a time; different blocks may be
 * written by different threads, whose end the reader of this waits for.
 */
public final class Stamps {
  /** What a writer fills a block with and an image is compared by. */
  public static final int BLOCK = 4096;

  /** Of a write that was never answered. */
  public static final long NEVER = Long.MAX_VALUE;

  /**
   * One write.
   *
   * @param stamp unique among the writes of its block, not 0
   * @param sent time just before, of any clock
   * @param answered time just after, or {@link #NEVER}
   */
  public record Write(long stamp, long sent, long answered) {}

  private final List<List<Write>> writes = new ArrayList<>();

  /** No block is written yet: all show stamp 0. */
  public Stamps(int blocks) {
    for (int i = 0; i < blocks; i++) {
      writes.add(new ArrayList<>());
    }
  }

  public int blocks() {
    return writes.size();
  }

  /** The writes of a block, in their order. */
  public List<Write> of(int block) {
    return writes.get(block);
  }

  public long count() {
    return writes.stream().mapToLong(List::size).sum();
  }

  /** A write is about to be sent. */
  public void sent(int block, long stamp, long time) {
    writes.get(block).add(new Write(stamp, time, NEVER));
  }

  /** The latest write of the block was answered. */
  public void answered(int block, long time) {
    Write last = writes.get(block).removeLast();
    writes.get(block).add(new Write(last.stamp, last.sent, time));
  }

  /** The latest write of the block did not come to be. */
  public Write dropLatest(int block) {
    return writes.get(block).removeLast();
  }

  /** So many bytes of one stamp. */
  public static byte[] content(long stamp, int bytes) {
    ByteBuffer content = ByteBuffer.allocate(bytes);
    while (content.hasRemaining()) {
      content.putLong(stamp);
    }
    return content.array();
  }

  /** The stamp of every block; no block may be a mixture of two. */
  public static long[] read(ByteBuffer content, String which) {
    int first = content.position();
    long[] stamps = new long[content.remaining() / BLOCK];
    for (int block = 0; block < stamps.length; block++) {
      long stamp = content.getLong(first + block * BLOCK);
      for (int at = 0; at < BLOCK; at += Long.BYTES) {
        if (content.getLong(first + block * BLOCK + at) != stamp) {
          throw new AssertionError("block " + block + " of " + which + " mixes two writes");
        }
      }
      stamps[block] = stamp;
    }
    return stamps;
  }

  /** An interval of time that the moment of an image must lie in. */
  public static final class Moment {
    private final String which;
    private long after;
    private long before;
    private String afterWhat = "its take was asked for";
    private String beforeWhat = "its take was answered";

    /**
     * @param after when the take was asked for
     * @param before when it was answered
     */
    public Moment(String which, long after, long before) {
      this.which = which;
      this.after = after;
      this.before = before;
    }

    /**
     * Narrows it by what the image shows of a block: it is after that write was sent, and before
     * the next one was answered.
     */
    public void show(Stamps stamps, int block, long shown) {
      List<Write> writes = stamps.of(block);
      int at = -1;
      for (int i = 0; i < writes.size(); i++) {
        if (writes.get(i).stamp == shown) {
          at = i;
        }
      }
      if (at < 0 && shown != 0) {
        throw new AssertionError(
            "block " + block + " of " + which + " shows what nobody wrote: " + shown);
      }
      if (at >= 0 && writes.get(at).sent > after) {
        after = writes.get(at).sent;
        afterWhat = "write " + at + " of block " + block + ", which it shows, was sent";
      }
      if (at + 1 < writes.size() && writes.get(at + 1).answered < before) {
        before = writes.get(at + 1).answered;
        beforeWhat = "write " + (at + 1) + " of block " + block + ", which it lacks, was answered";
      }
    }

    /** There is such a moment. */
    public void check() {
      if (after >= before) {
        throw new AssertionError(
            which
                + " mixes moments: "
                + afterWhat
                + " at "
                + after
                + ", but "
                + beforeWhat
                + " at "
                + before);
      }
    }
  }

  /** The image is one moment, at any time. */
  public void assertOneMoment(long[] image, String which) {
    var moment = new Moment(which, Long.MIN_VALUE, Long.MAX_VALUE);
    for (int block = 0; block < image.length; block++) {
      moment.show(this, block, image[block]);
    }
    moment.check();
  }
}
