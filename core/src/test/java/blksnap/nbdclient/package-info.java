/** Tests of the NBD client, against our own server and against one that is made up. */
@NullMarked
package blksnap.nbdclient;

import org.jspecify.annotations.NullMarked;
