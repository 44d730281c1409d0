/**
 * Objects in a store that speaks S3, by the AWS SDK for Java. The SDK is not on the class path of
 * every command: the launcher adds it where a word of the command line begins with {@code s3://}.
 */
@NullMarked
package blksnap.cli.s3;

import org.jspecify.annotations.NullMarked;
