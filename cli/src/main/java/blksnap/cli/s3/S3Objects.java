package blksnap.cli.s3;

import blksnap.backup.ObjectStore;
import blksnap.backup.Transfer;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import software.amazon.awssdk.core.ResponseInputStream;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;
import software.amazon.awssdk.services.s3.model.MultipartUpload;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;

/** Objects of a bucket whose names begin with a prefix. Safe from many threads. */
public final class S3Objects implements ObjectStore {
  /** Parts of a larger object are so large at least; S3 wants 5 MiB. */
  private static final int PART_BYTES = 16 << 20;

  /** S3 takes 10,000; a part grows for an object that would have more. */
  private static final int MOST_PARTS = 9_000;

  private static final int NOT_FOUND = 404;
  private static final int FORBIDDEN = 403;
  private static final int CONFLICT = 409;
  private static final int PRECONDITION_FAILED = 412;
  private static final int NOT_IMPLEMENTED = 501;

  private final S3Client client;
  private final String bucket;

  /** Empty, or with a slash at its end. */
  private final String prefix;

  /** Where the store is; empty: Amazon's. */
  private final String endpoint;

  S3Objects(S3Client client, String bucket, String prefix, String endpoint) {
    this.client = client;
    this.bucket = bucket;
    this.prefix = prefix;
    this.endpoint = endpoint;
  }

  @Override
  public String name() {
    String name = "s3://" + bucket + "/" + prefix;
    return name.substring(0, name.length() - 1);
  }

  @Override
  public String place() {
    return name() + " at " + endpoint;
  }

  private String key(String object) {
    return prefix + object;
  }

  @FunctionalInterface
  private interface Ask<T> {
    T ask() throws IOException;
  }

  private <T> T ask(String what, Ask<T> request) throws IOException {
    try {
      return request.ask();
    } catch (SdkException e) {
      throw refusal(what, e);
    }
  }

  private BlkSnapException refusal(String what, SdkException e) {
    String reason =
        e instanceof S3Exception s3 && s3.awsErrorDetails() != null
            ? s3.statusCode() + " " + s3.awsErrorDetails().errorCode()
            : String.valueOf(e.getMessage());
    Errno errno = Errno.EIO;
    if (e instanceof S3Exception s3) {
      errno =
          switch (s3.statusCode()) {
            case NOT_FOUND -> Errno.ENOENT;
            case FORBIDDEN -> Errno.EACCES;
            case NOT_IMPLEMENTED -> Errno.ENOTSUP;
            default -> Errno.EIO;
          };
    } else if (e instanceof SdkClientException && reason.contains("credentials")) {
      errno = Errno.EACCES;
    }
    return new BlkSnapException(errno, what + " at " + name() + " failed: " + reason, e);
  }

  private static int status(SdkException e) {
    return e instanceof S3Exception s3 ? s3.statusCode() : 0;
  }

  @Override
  public List<String> places() throws IOException {
    return ask(
        "listing devices",
        () ->
            client
                .listObjectsV2Paginator(
                    request -> request.bucket(bucket).prefix(prefix).delimiter("/"))
                .commonPrefixes()
                .stream()
                .map(one -> one.prefix().substring(prefix.length(), one.prefix().length() - 1))
                .sorted()
                .toList());
  }

  @Override
  public List<String> list(String start) throws IOException {
    return ask(
        "listing " + start,
        () ->
            client
                .listObjectsV2Paginator(request -> request.bucket(bucket).prefix(key(start)))
                .contents()
                .stream()
                .map(S3Object::key)
                .map(key -> key.substring(prefix.length()))
                .sorted()
                .toList());
  }

  @Override
  public Optional<Found> find(String object) throws IOException {
    return ask(
        "looking " + object + " up",
        () -> {
          try {
            HeadObjectResponse head =
                client.headObject(request -> request.bucket(bucket).key(key(object)));
            return Optional.of(new Found(head.contentLength(), head.eTag(), age(head)));
          } catch (S3Exception e) {
            if (e.statusCode() != NOT_FOUND) {
              throw e;
            }
            return Optional.empty();
          }
        });
  }

  /** By the clock of the store, which stamped both. */
  private static Duration age(HeadObjectResponse head) {
    Instant now =
        head.sdkHttpResponse()
            .firstMatchingHeader("Date")
            .map(text -> ZonedDateTime.parse(text, DateTimeFormatter.RFC_1123_DATE_TIME))
            .map(ZonedDateTime::toInstant)
            .orElseGet(Instant::now);
    Duration age = Duration.between(head.lastModified(), now);
    return age.isNegative() ? Duration.ZERO : age;
  }

  @Override
  public void read(String object, Found found, long offset, ByteBuffer target) throws IOException {
    int length = target.remaining();
    if (length == 0) {
      return;
    }
    ask(
        "reading " + object,
        () -> {
          int start = target.position();
          for (int attempt = 1; ; attempt++) {
            try {
              readOnce(object, found, offset, target.position(start));
              return target;
            } catch (S3Exception e) {
              if (e.statusCode() == PRECONDITION_FAILED) {
                throw new BlkSnapException(
                    Errno.EIO, name() + "/" + object + " was replaced while it was read", e);
              }
              throw e;
            } catch (IOException e) { // the SDK asks again only until the answer begins
              if (attempt == S3Connection.ATTEMPTS) {
                throw new BlkSnapException(
                    Errno.EIO, "reading " + name() + "/" + object + " failed: " + e, e);
              }
            }
          }
        });
  }

  private void readOnce(String object, Found found, long offset, ByteBuffer target)
      throws IOException {
    String range = "bytes=" + offset + "-" + (offset + target.remaining() - 1);
    try (ResponseInputStream<GetObjectResponse> content =
        client.getObject(
            request -> request.bucket(bucket).key(key(object)).range(range).ifMatch(found.tag()))) {
      byte[] part = new byte[1 << 16];
      while (target.hasRemaining()) {
        int count = content.read(part, 0, Math.min(part.length, target.remaining()));
        if (count < 0) {
          throw new IOException("it ended " + target.remaining() + " bytes too early");
        }
        target.put(part, 0, count);
      }
    }
  }

  @Override
  public void put(String object, byte[] content) throws IOException {
    ask(
        "writing " + object,
        () ->
            client.putObject(
                request -> request.bucket(bucket).key(key(object)).contentMD5(md5(content)),
                RequestBody.fromBytes(content)));
  }

  @Override
  public boolean putIfAbsent(String object, byte[] content) throws IOException {
    return ask(
        "writing " + object,
        () -> {
          try {
            client.putObject(
                request ->
                    request
                        .bucket(bucket)
                        .key(key(object))
                        .contentMD5(md5(content))
                        .ifNoneMatch("*"),
                RequestBody.fromBytes(content));
            return true;
          } catch (S3Exception e) {
            if (status(e) == PRECONDITION_FAILED || status(e) == CONFLICT) {
              return false;
            }
            throw e;
          }
        });
  }

  /** The store refuses what arrives with another one. */
  private static String md5(byte[] content) {
    try {
      return Base64.getEncoder().encodeToString(MessageDigest.getInstance("MD5").digest(content));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("Java has no MD5", e);
    }
  }

  private static String md5(Piece content) {
    return Base64.getEncoder().encodeToString(HexFormat.of().parseHex(content.md5()));
  }

  /** May be opened more than once: what failed is sent again. */
  private static RequestBody body(Piece content) {
    return RequestBody.fromContentProvider(
        () -> new PartStream(content.content(), content.offset(), content.length()),
        content.length(),
        "application/octet-stream");
  }

  private <T> T send(String what, Transfer transfer, Ask<T> request) throws IOException {
    var sending = new HeldClient.Sending(transfer);
    return ScopedValue.where(HeldClient.SENDING, sending).call(() -> ask(what, request));
  }

  @Override
  public void put(String object, Piece content, Transfer transfer) throws IOException {
    send(
        "uploading " + object,
        transfer,
        () ->
            client.putObject(
                request -> request.bucket(bucket).key(key(object)).contentMD5(md5(content)),
                body(content)));
  }

  @Override
  public long partBytes(long size) {
    long least = (size + MOST_PARTS - 1) / MOST_PARTS;
    return Math.max(PART_BYTES, (least + (1 << 20) - 1) >>> 20 << 20);
  }

  @Override
  public String beginUpload(String object) throws IOException {
    return ask(
        "uploading " + object,
        () ->
            client
                .createMultipartUpload(request -> request.bucket(bucket).key(key(object)))
                .uploadId());
  }

  @Override
  public Optional<Map<Integer, Part>> parts(String object, String upload) throws IOException {
    return ask(
        "listing parts of " + object,
        () -> {
          Map<Integer, Part> parts = new HashMap<>();
          try {
            client
                .listPartsPaginator(
                    request -> request.bucket(bucket).key(key(object)).uploadId(upload))
                .parts()
                .forEach(part -> parts.put(part.partNumber(), new Part(part.size(), part.eTag())));
            return Optional.of(parts);
          } catch (S3Exception e) {
            if (e.statusCode() != NOT_FOUND) {
              throw e;
            }
            return Optional.empty();
          }
        });
  }

  @Override
  public String putPart(String object, String upload, int number, Piece content, Transfer transfer)
      throws IOException {
    return send(
        "uploading part " + number + " of " + object,
        transfer,
        () ->
            client
                .uploadPart(
                    request ->
                        request
                            .bucket(bucket)
                            .key(key(object))
                            .uploadId(upload)
                            .partNumber(number)
                            .contentMD5(md5(content)),
                    body(content))
                .eTag());
  }

  @Override
  public void completeUpload(String object, String upload, List<String> tags) throws IOException {
    List<CompletedPart> parts = new ArrayList<>();
    for (String tag : tags) {
      parts.add(CompletedPart.builder().partNumber(parts.size() + 1).eTag(tag).build());
    }
    ask(
        "completing " + object,
        () ->
            client.completeMultipartUpload(request ->
                request
                    .bucket(bucket)
                    .key(key(object))
                    .uploadId(upload)
                    .multipartUpload(all -> all.parts(parts))));
  }

  @Override
  public void abandonUpload(String object, String upload) {
    try {
      client.abortMultipartUpload(
          request -> request.bucket(bucket).key(key(object)).uploadId(upload));
    } catch (SdkException _) {
      // the next backup gives it up
    }
  }

  @Override
  public void delete(String object) throws IOException {
    ask(
        "removing " + object,
        () -> client.deleteObject(request -> request.bucket(bucket).key(key(object))));
  }

  @Override
  public void abandonUploads(String start, Set<String> but) throws IOException {
    try {
      client
          .listMultipartUploadsPaginator(request -> request.bucket(bucket).prefix(key(start)))
          .uploads()
          .stream()
          .filter(upload -> upload.key().startsWith(key(start)))
          .filter(upload -> !but.contains(upload.uploadId()))
          .forEach(this::abandon);
    } catch (SdkException e) {
      if (status(e) != NOT_IMPLEMENTED) {
        throw refusal("listing uploads", e);
      }
    }
  }

  private void abandon(MultipartUpload upload) {
    abandonUpload(upload.key().substring(prefix.length()), upload.uploadId());
  }

  @Override
  public void close() {
    client.close();
  }
}
