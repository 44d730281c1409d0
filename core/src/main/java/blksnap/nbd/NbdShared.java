package blksnap.nbd;

import blksnap.buffer.BufferPool;
import blksnap.log.LogRing;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;

/**
 * What all connections of one server use.
 *
 * @param payloads memory for payloads, limited by whoever made it
 * @param budget what payloads may take of it
 * @param scratch memory for headers and input, enough for every connection there can be: nobody
 *     waits for it
 * @param moreThreads permits for threads beyond each connection's first
 * @param ended is told of a connection once it holds nothing any more
 */
record NbdShared(
    NbdSecurity security,
    ExportTable exports,
    BufferPool payloads,
    NbdBudget budget,
    BufferPool scratch,
    LogRing log,
    NbdLimits limits,
    NbdStats stats,
    NbdThreads threads,
    Semaphore moreThreads,
    NbdWatchdog watchdog,
    Consumer<NbdConnection> ended) {}
