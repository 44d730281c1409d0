/** Tests of single parts of images; whole ones are tried by the tests of backups. */
@NullMarked
package blksnap.qcow2;

import org.jspecify.annotations.NullMarked;
