package blksnap.cli.s3;

import blksnap.backup.ObjectStore;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.qcow2.ByteFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
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
import software.amazon.awssdk.services.s3.model.UploadPartResponse;

/** Objects of a bucket whose names begin with a prefix. Safe from many threads. */
public final class S3Objects implements ObjectStore {
  /** Parts of a larger object are so large at least; S3 wants 5 MiB. */
  private static final int PART_BYTES = 16 << 20;

  /** S3 takes 10,000; a part grows for an object that would have more. */
  private static final int MOST_PARTS = 9_000;

  /** Parts that are under way at a time. */
  private static final int AT_A_TIME = 4;

  private static final int NOT_FOUND = 404;
  private static final int FORBIDDEN = 403;
  private static final int CONFLICT = 409;
  private static final int PRECONDITION_FAILED = 412;
  private static final int NOT_IMPLEMENTED = 501;

  private final S3Client client;
  private final String bucket;

  /** Empty, or with a slash at its end. */
  private final String prefix;

  S3Objects(S3Client client, String bucket, String prefix) {
    this.client = client;
    this.bucket = bucket;
    this.prefix = prefix;
  }

  @Override
  public String name() {
    String name = "s3://" + bucket + "/" + prefix;
    return name.substring(0, name.length() - 1);
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

  /** A part of a file. */
  private record Range(long offset, long length) {
    /** May be opened more than once: what failed is sent again. */
    InputStream open(ByteFile content) {
      return new PartStream(content, offset, length);
    }

    RequestBody body(ByteFile content) {
      return RequestBody.fromContentProvider(
          () -> open(content), length, "application/octet-stream");
    }

    String md5(ByteFile content) throws IOException {
      MessageDigest digest = md5Digest();
      try (InputStream in = open(content)) {
        byte[] part = new byte[PartStream.BYTES];
        for (int count = in.read(part); count >= 0; count = in.read(part)) {
          digest.update(part, 0, count);
        }
      }
      return Base64.getEncoder().encodeToString(digest.digest());
    }
  }

  /** The store refuses what arrives with another one. */
  private static String md5(byte[] content) {
    return Base64.getEncoder().encodeToString(md5Digest().digest(content));
  }

  private static MessageDigest md5Digest() {
    try {
      return MessageDigest.getInstance("MD5");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("Java has no MD5", e);
    }
  }

  @Override
  public void upload(String object, ByteFile content) throws IOException {
    long size = content.sizeBytes();
    if (size <= PART_BYTES) {
      var all = new Range(0, size);
      String md5 = all.md5(content);
      ask(
          "uploading " + object,
          () ->
              client.putObject(
                  request -> request.bucket(bucket).key(key(object)).contentMD5(md5),
                  all.body(content)));
      return;
    }
    long partBytes = partBytes(size);
    String id =
        ask(
            "uploading " + object,
            () ->
                client
                    .createMultipartUpload(request -> request.bucket(bucket).key(key(object)))
                    .uploadId());
    boolean complete = false;
    try {
      List<CompletedPart> parts = uploadParts(object, content, id, partBytes);
      ask(
          "completing " + object,
          () ->
              client.completeMultipartUpload(request ->
                  request
                      .bucket(bucket)
                      .key(key(object))
                      .uploadId(id)
                      .multipartUpload(all -> all.parts(parts))));
      complete = true;
    } finally {
      if (!complete) {
        abandon(object, id);
      }
    }
  }

  /** Bytes of each part but the last of an object of this size. */
  static long partBytes(long size) {
    long least = (size + MOST_PARTS - 1) / MOST_PARTS;
    return Math.max(PART_BYTES, (least + (1 << 20) - 1) >>> 20 << 20);
  }

  private List<CompletedPart> uploadParts(
      String object, ByteFile content, String id, long partBytes) throws IOException {
    long size = content.sizeBytes();
    int count = (int) ((size + partBytes - 1) / partBytes);
    List<Callable<CompletedPart>> parts = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int number = i + 1;
      var range = new Range(i * partBytes, Math.min(partBytes, size - i * partBytes));
      parts.add(() -> uploadPart(object, content, id, number, range));
    }
    var names = Thread.ofPlatform().daemon().name("blksnap-upload-", 0).factory();
    try (ExecutorService threads = Executors.newFixedThreadPool(AT_A_TIME, names)) {
      List<Future<CompletedPart>> under = parts.stream().map(threads::submit).toList();
      List<CompletedPart> done = new ArrayList<>();
      try {
        for (Future<CompletedPart> part : under) {
          done.add(part.get());
        }
      } catch (ExecutionException e) {
        threads.shutdownNow();
        if (e.getCause() instanceof IOException cause) {
          throw cause;
        }
        throw new IllegalStateException(e.getCause());
      } catch (InterruptedException e) {
        threads.shutdownNow();
        Thread.currentThread().interrupt();
        throw new BlkSnapException(Errno.EINTR, "interrupted", e);
      }
      return done;
    }
  }

  private CompletedPart uploadPart(
      String object, ByteFile content, String id, int number, Range range) throws IOException {
    String md5 = range.md5(content);
    UploadPartResponse response =
        ask(
            "uploading part " + number + " of " + object,
            () ->
                client.uploadPart(
                    request ->
                        request
                            .bucket(bucket)
                            .key(key(object))
                            .uploadId(id)
                            .partNumber(number)
                            .contentMD5(md5),
                    range.body(content)));
    return CompletedPart.builder().partNumber(number).eTag(response.eTag()).build();
  }

  private void abandon(String object, String id) {
    try {
      client.abortMultipartUpload(request -> request.bucket(bucket).key(key(object)).uploadId(id));
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
  public void abandonUploads(String start) throws IOException {
    try {
      client
          .listMultipartUploadsPaginator(request -> request.bucket(bucket).prefix(key(start)))
          .uploads()
          .stream()
          .filter(upload -> upload.key().startsWith(key(start)))
          .forEach(this::abandon);
    } catch (SdkException e) {
      if (status(e) != NOT_IMPLEMENTED) {
        throw refusal("listing uploads", e);
      }
    }
  }

  private void abandon(MultipartUpload upload) {
    abandon(upload.key().substring(prefix.length()), upload.uploadId());
  }

  @Override
  public void close() {
    client.close();
  }
}
