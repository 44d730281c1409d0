/**
 * What every implementation of a contract must do, as abstract tests that the tests of each one
 * extend.
 */
@NullMarked
package blksnap.contract;

import org.jspecify.annotations.NullMarked;
