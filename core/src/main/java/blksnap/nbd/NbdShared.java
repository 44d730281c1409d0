package blksnap.nbd;

import blksnap.buffer.BufferPool;
import blksnap.log.LogRing;
import java.util.function.Consumer;

/**
 * What all connections of one server use.
 *
 * @param payloads memory for payloads, limited by whoever made it
 * @param scratch memory for headers and input, enough for every connection there can be: nobody
 *     waits for it
 * @param ended is told of a connection once it holds nothing any more
 */
record NbdShared(
    ExportTable exports,
    BufferPool payloads,
    BufferPool scratch,
    LogRing log,
    NbdLimits limits,
    NbdStats stats,
    NbdThreads threads,
    NbdWatchdog watchdog,
    Consumer<NbdConnection> ended) {}
