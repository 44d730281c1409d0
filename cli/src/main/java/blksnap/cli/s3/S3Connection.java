package blksnap.cli.s3;

import blksnap.backup.ObjectStore;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.checksums.ResponseChecksumValidation;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.profiles.ProfileFile;
import software.amazon.awssdk.profiles.ProfileFileSystemSetting;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.regions.providers.AwsProfileRegionProvider;
import software.amazon.awssdk.regions.providers.AwsRegionProviderChain;
import software.amazon.awssdk.regions.providers.DefaultAwsRegionProviderChain;
import software.amazon.awssdk.regions.providers.SystemSettingsRegionProvider;
import software.amazon.awssdk.retries.api.BackoffStrategy;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;

/**
 * Connects to a bucket: who we are, where the store is and which region it is in are found where
 * the AWS tools find them, in variables, profiles, and the services of a cloud's machine.
 */
public final class S3Connection {
  /** How often something is asked for that the store has no time for, or that is cut off. */
  static final int ATTEMPTS = 10;

  private static final Pattern PLACE =
      Pattern.compile("s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?");
  private static final Duration FIRST_WAIT = Duration.ofMillis(100);
  private static final Duration LONGEST_WAIT = Duration.ofSeconds(20);
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(10);
  private static final Duration READ_TIMEOUT = Duration.ofSeconds(60);

  private S3Connection() {}

  /**
   * Opens {@code s3://BUCKET/PREFIX}; nothing is asked yet.
   *
   * @throws BlkSnapException {@code EINVAL} when that is no such place, or the configuration is
   *     wrong
   */
  public static ObjectStore open(String place, Map<String, String> variables)
      throws BlkSnapException {
    Matcher form = PLACE.matcher(place);
    if (!form.matches()) {
      throw new BlkSnapException(Errno.EINVAL, "'" + place + "' is not s3://BUCKET/PREFIX");
    }
    String path = Optional.ofNullable(form.group(2)).orElse("").replaceAll("^/+|/+$", "");
    try {
      String prefix = path.isEmpty() ? "" : path + "/";
      return new S3Objects(client(variables), form.group(1), prefix, endpoint(variables));
    } catch (SdkClientException e) {
      throw new BlkSnapException(Errno.EINVAL, "S3 cannot be used: " + e.getMessage(), e);
    }
  }

  private static S3Client client(Map<String, String> variables) {
    boolean elsewhere = !endpoint(variables).isEmpty();
    BackoffStrategy wait = BackoffStrategy.exponentialDelayHalfJitter(FIRST_WAIT, LONGEST_WAIT);
    var retries =
        AwsRetryStrategy.standardRetryStrategy().toBuilder()
            .maxAttempts(ATTEMPTS)
            .backoffStrategy(wait)
            .throttlingBackoffStrategy(wait)
            .circuitBreakerEnabled(false)
            .build();
    var builder =
        S3Client.builder()
            .httpClient(
                new HeldClient(
                    UrlConnectionHttpClient.builder()
                        .connectionTimeout(CONNECT_TIMEOUT)
                        .socketTimeout(READ_TIMEOUT)
                        .build()))
            .overrideConfiguration(all -> all.retryStrategy(retries))
            // Other stores know Content-MD5, and neither newer checksums nor signed chunks.
            .requestChecksumCalculation(RequestChecksumCalculation.WHEN_REQUIRED)
            .responseChecksumValidation(ResponseChecksumValidation.WHEN_REQUIRED)
            .serviceConfiguration(S3Configuration.builder().chunkedEncodingEnabled(false).build())
            .forcePathStyle(elsewhere);
    return builder.region(region(elsewhere)).build();
  }

  /** Other stores have no region, but requests are signed with one; nobody is asked for it. */
  private static Region region(boolean elsewhere) {
    if (!elsewhere) {
      return DefaultAwsRegionProviderChain.builder().build().getRegion();
    }
    try {
      return new AwsRegionProviderChain(
              new SystemSettingsRegionProvider(), new AwsProfileRegionProvider())
          .getRegion();
    } catch (SdkClientException _) {
      return Region.US_EAST_1;
    }
  }

  /**
   * Where the store is, if it is another one than Amazon's, whose buckets need not be names of
   * hosts; else empty.
   */
  private static String endpoint(Map<String, String> variables) {
    return Optional.ofNullable(variables.get("AWS_ENDPOINT_URL_S3"))
        .or(() -> Optional.ofNullable(variables.get("AWS_ENDPOINT_URL")))
        .or(() ->
            ProfileFile.defaultProfileFile()
                .profile(ProfileFileSystemSetting.AWS_PROFILE.getStringValue().orElse("default"))
                .flatMap(profile -> profile.property("endpoint_url")))
        .orElse("");
  }
}
