/**
 * The other end of an NBD connection: reads and writes exports of this program's engine, or of any
 * other server. {@link NbdAddress} says where one is, {@link NbdClient} is one connection.
 */
@NullMarked
package blksnap.nbdclient;

import org.jspecify.annotations.NullMarked;
