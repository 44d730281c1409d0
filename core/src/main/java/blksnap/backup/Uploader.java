package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.qcow2.ByteFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Sends files to a store of objects, in parts, some at a time. What is there already is not sent
 * again.
 *
 * <p>Threads: {@code blksnap-upload-N}; they end with each call.
 */
final class Uploader {
  /** Parts that are under way at a time. */
  private static final int AT_A_TIME = 4;

  /** How often whoever waits is told how far it is, and looks whether it was given up. */
  private static final long TELL_MILLIS = 200;

  private static final int READ_BYTES = 1 << 17;

  private final ObjectStore store;

  Uploader(ObjectStore store) {
    this.store = store;
  }

  static MessageDigest md5() {
    try {
      return MessageDigest.getInstance("MD5");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("Java has no MD5", e);
    }
  }

  /** Reads a file once, to know its parts. */
  Parcel measure(ByteFile content, Transfer transfer) throws IOException {
    long bytes = content.sizeBytes();
    long partBytes = store.partBytes(bytes);
    List<Callable<String>> tasks = new ArrayList<>();
    for (int i = 0; i < Parcel.count(bytes, partBytes); i++) {
      long offset = i * partBytes;
      tasks.add(() -> md5(content, offset, Math.min(partBytes, bytes - offset)));
    }
    return new Parcel(bytes, partBytes, all(tasks, transfer));
  }

  private static String md5(ByteFile content, long offset, long length) throws IOException {
    MessageDigest digest = md5();
    ByteBuffer block = ByteBuffer.allocateDirect(READ_BYTES);
    for (long at = 0; at < length; at += block.limit()) {
      content.read(offset + at, block.clear().limit((int) Math.min(READ_BYTES, length - at)));
      digest.update(block.flip());
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Begins the upload of what is not put at once; its id. */
  Optional<String> begin(String object, Parcel parcel) throws IOException {
    return parcel.parts() == 1 ? Optional.empty() : Optional.of(store.beginUpload(object));
  }

  /** Sends a file that was measured just now. */
  void send(
      String object, Parcel parcel, Optional<String> upload, ByteFile content, Transfer transfer)
      throws IOException {
    if (upload.isEmpty()) {
      put(object, parcel, content, transfer);
    } else {
      sendParts(object, parcel, upload.get(), Map.of(), content, transfer, false);
    }
  }

  /** Takes note of an upload that takes the place of one that the store does not know any more. */
  @FunctionalInterface
  interface Anew {
    void begun(String upload) throws IOException;
  }

  /**
   * Goes on with sending a file that another process has measured.
   *
   * @throws BlkSnapException {@code EBADMSG} when that is not the file that it was
   */
  void resume(
      String object,
      Parcel parcel,
      Optional<String> upload,
      Anew anew,
      ByteFile content,
      Transfer transfer)
      throws IOException {
    if (content.sizeBytes() != parcel.bytes()) {
      throw changed(content);
    }
    if (isThere(object, parcel)) {
      transfer.found(parcel.bytes());
      return;
    }
    if (upload.isEmpty()) {
      prove(parcel, 0, content);
      put(object, parcel, content, transfer);
      return;
    }
    Optional<Map<Integer, ObjectStore.Part>> parts = store.parts(object, upload.get());
    String id = upload.get();
    if (parts.isEmpty()) {
      id = store.beginUpload(object);
      anew.begun(id);
    }
    sendParts(object, parcel, id, parts.orElse(Map.of()), content, transfer, true);
  }

  private boolean isThere(String object, Parcel parcel) throws IOException {
    return store.find(object).filter(parcel::is).isPresent();
  }

  private void put(String object, Parcel parcel, ByteFile content, Transfer transfer)
      throws IOException {
    var piece = new ObjectStore.Piece(content, 0, parcel.bytes(), parcel.md5s().getFirst());
    var _ =
        all(
            List.of(() -> {
              store.put(object, piece, transfer);
              return object;
            }),
            transfer);
  }

  private void sendParts(
      String object,
      Parcel parcel,
      String upload,
      Map<Integer, ObjectStore.Part> there,
      ByteFile content,
      Transfer transfer,
      boolean unproven)
      throws IOException {
    List<Callable<String>> tasks = new ArrayList<>();
    for (int i = 0; i < parcel.parts(); i++) {
      int part = i;
      ObjectStore.Part found = there.get(part + 1);
      if (found != null && parcel.is(part, found)) {
        transfer.found(found.bytes());
        tasks.add(found::tag);
        continue;
      }
      var piece =
          new ObjectStore.Piece(
              content, part * parcel.partBytes(), parcel.length(part), parcel.md5s().get(part));
      tasks.add(() -> {
        if (unproven) {
          prove(parcel, part, content);
        }
        return store.putPart(object, upload, part + 1, piece, transfer);
      });
    }
    List<String> tags = all(tasks, transfer);
    try {
      store.completeUpload(object, upload, tags);
    } catch (BlkSnapException e) {
      // An answer that was lost is asked for again, and then the upload is not known any more.
      if (e.errno() != Errno.ENOENT || !isThere(object, parcel)) {
        throw e;
      }
    }
  }

  /** The store would refuse it as well, but could not say why. */
  private static void prove(Parcel parcel, int part, ByteFile content) throws IOException {
    String md5 = md5(content, part * parcel.partBytes(), parcel.length(part));
    if (!md5.equals(parcel.md5s().get(part))) {
      throw changed(content);
    }
  }

  private static BlkSnapException changed(ByteFile content) {
    return new BlkSnapException(
        Errno.EBADMSG, content.name() + " is not what it was when it was completed");
  }

  /** Does all of them, some at a time; the first failure ends the others. */
  private static <T> List<T> all(List<Callable<T>> tasks, Transfer transfer) throws IOException {
    var names = Thread.ofPlatform().daemon().name("blksnap-upload-", 0).factory();
    try (ExecutorService threads = Executors.newFixedThreadPool(AT_A_TIME, names)) {
      List<Future<T>> under = tasks.stream().map(threads::submit).toList();
      List<T> done = new ArrayList<>();
      try {
        for (Future<T> one : under) {
          done.add(await(one, transfer));
        }
      } catch (ExecutionException e) {
        transfer.require();
        if (e.getCause() instanceof IOException cause) {
          throw cause;
        }
        throw new IllegalStateException(e.getCause());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new BlkSnapException(Errno.EINTR, "interrupted", e);
      } finally {
        threads.shutdownNow(); // when all are done, there is nothing left to end
      }
      transfer.tell();
      return done;
    }
  }

  private static <T> T await(Future<T> one, Transfer transfer)
      throws ExecutionException, InterruptedException, BlkSnapException {
    while (true) {
      transfer.require();
      try {
        return one.get(TELL_MILLIS, TimeUnit.MILLISECONDS);
      } catch (TimeoutException _) {
        transfer.tell();
      }
    }
  }
}
