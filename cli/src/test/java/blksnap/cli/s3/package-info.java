@NullMarked
package blksnap.cli.s3;

import org.jspecify.annotations.NullMarked;
