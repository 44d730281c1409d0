/**
 * The main job, shown and proven on an engine of its own in a temporary directory: two disks are
 * written to through NBD while snapshots of both are taken, and what comes out is compared with
 * what was written when. Nothing here trusts the engine: {@link blksnap.nbdclient.NbdClient} speaks
 * to it as any client would, and the checks know only what was sent and answered.
 */
@NullMarked
package blksnap.cli.demo;

import org.jspecify.annotations.NullMarked;
