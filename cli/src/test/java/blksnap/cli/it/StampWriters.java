package blksnap.cli.it;

import blksnap.testing.Seeds;
import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;

/** Clients that stamp the blocks of devices until the daemon is gone. */
final class StampWriters implements Closeable {
  private static final int CONNECTIONS = 2; // to each device
  private static final int DEPTH = 2; // requests in flight on each
  private static final int LANES = CONNECTIONS * DEPTH;
  private static final int MOST_BLOCKS = 8; // of one write

  private final List<NbdSession> sessions = new ArrayList<>();
  private final List<Future<Integer>> writers = new ArrayList<>();
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final AtomicBoolean ending;

  /**
   * @param ending set before the daemon is killed or unloaded: until then no write may fail
   */
  StampWriters(Lab lab, List<StampedDisk> disks, Seeds seeds, int round, AtomicBoolean ending)
      throws IOException {
    this.ending = ending;
    boolean started = false;
    try {
      for (StampedDisk disk : disks) {
        for (int lane = 0; lane < LANES; lane++) {
          if (lane % DEPTH == 0) {
            sessions.add(NbdSession.open(lab.nbdSocket(), disk.name()));
          }
          NbdSession session = sessions.getLast();
          int own = lane;
          Random random = seeds.random(round << 8 | writers.size());
          writers.add(threads.submit(() -> write(session, disk, own, random)));
        }
      }
      started = true;
    } finally {
      if (!started) {
        close();
      }
    }
  }

  private int write(NbdSession session, StampedDisk disk, int lane, Random random)
      throws IOException {
    int blocks = disk.blocks() / LANES;
    int acknowledged = 0;
    try {
      while (true) {
        int count = 1 + random.nextInt(MOST_BLOCKS);
        int first = lane * blocks + random.nextInt(blocks - count + 1);
        byte[] content = disk.send(first, count);
        long offset = (long) first * Lab.BLOCK;
        if (random.nextInt(64) == 0) {
          session.writeThrough(offset, content);
        } else {
          session.write(offset, content);
        }
        disk.answered(first, count);
        acknowledged += count;
        if (random.nextInt(128) == 0) {
          session.flush();
        }
      }
    } catch (NbdSession.Refused e) {
      if (e.errno() != NbdSession.ESHUTDOWN || !ending.get()) {
        throw new AssertionError("a write of " + disk.name() + " was refused", e);
      }
    } catch (IOException e) {
      if (!ending.get()) {
        throw new AssertionError("a client of " + disk.name() + " was cut off", e);
      }
    }
    return acknowledged;
  }

  /** How many blocks were acknowledged, once the daemon is gone. */
  int await() throws InterruptedException {
    int acknowledged = 0;
    for (Future<Integer> writer : writers) {
      try {
        acknowledged += writer.get();
      } catch (ExecutionException e) {
        throw new AssertionError("a writer failed", e);
      }
    }
    return acknowledged;
  }

  @Override
  public void close() throws IOException {
    for (NbdSession session : sessions) {
      session.close();
    }
    threads.close();
  }
}
