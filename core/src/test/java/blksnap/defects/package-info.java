/**
 * The defects of the kernel module that this program must not have, each as a test of what a user
 * would see.
 */
@NullMarked
package blksnap.defects;

import org.jspecify.annotations.NullMarked;
