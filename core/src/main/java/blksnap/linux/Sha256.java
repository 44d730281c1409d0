package blksnap.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;

/**
 * SHA-256 by OpenSSL's libcrypto, which is fast at once: Java's own hashes 50 MB in a second until
 * its best compiler has seen enough of it, which is most of a short command's life. Where there is
 * no such library, or it does not hash as it should, it is Java's own. One thread at a time.
 */
public final class Sha256 extends MessageDigest {
  private static final String LIBRARY = "libcrypto.so.3";

  /** A {@code SHA256_CTX} has 112. */
  private static final int STATE_BYTES = 128;

  private static final int HASH_BYTES = 32;

  /** Of FIPS 180-4's three letters. */
  private static final String HASH_OF_ABC =
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

  private static final Optional<Functions> FUNCTIONS = find();

  private final Functions functions;
  private final MemorySegment state;
  private final MemorySegment hash;

  /** Of {@link Calls#WITH_MEMORY} each: state; state, bytes, their count; hash, state. */
  private record Functions(MemorySegment init, MemorySegment update, MemorySegment complete) {}

  private Sha256(Functions functions) {
    super("SHA-256");
    this.functions = functions;
    Arena arena = Arena.ofAuto();
    this.state = arena.allocate(STATE_BYTES, Long.BYTES);
    this.hash = arena.allocate(HASH_BYTES, Long.BYTES);
    engineReset();
  }

  /** One that has seen nothing yet. */
  public static MessageDigest create() {
    return FUNCTIONS.isPresent() ? new Sha256(FUNCTIONS.get()) : ofJava();
  }

  static MessageDigest ofJava() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("Java has no SHA-256", e);
    }
  }

  private static Optional<Functions> find() {
    Optional<SymbolLookup> library = Native.library(LIBRARY);
    if (library.isEmpty()) {
      return Optional.empty();
    }
    Optional<MemorySegment> init = library.get().find("SHA256_Init");
    Optional<MemorySegment> update = library.get().find("SHA256_Update");
    Optional<MemorySegment> complete = library.get().find("SHA256_Final");
    if (init.isEmpty() || update.isEmpty() || complete.isEmpty()) {
      return Optional.empty();
    }
    var functions = new Functions(init.get(), update.get(), complete.get());
    byte[] abc = new Sha256(functions).digest(new byte[] {'a', 'b', 'c'});
    return HexFormat.of().formatHex(abc).equals(HASH_OF_ABC)
        ? Optional.of(functions)
        : Optional.empty();
  }

  /** They return 1, always. */
  private void call(MemorySegment function, long first, MemorySegment second, long third) {
    try {
      long _ =
          Native.once(errno ->
              (long)
                  Calls.WITH_MEMORY.invokeExact(
                      function, errno, first, second, third, 0L, Calls.NO_MEMORY));
    } finally {
      Reference.reachabilityFence(this); // what stands for an address keeps no memory alive
    }
  }

  @Override
  protected void engineReset() {
    call(functions.init, state.address(), Calls.NO_MEMORY, 0);
  }

  @Override
  protected int engineGetDigestLength() {
    return HASH_BYTES;
  }

  @Override
  protected void engineUpdate(ByteBuffer input) {
    if (!input.isDirect()) {
      super.engineUpdate(input);
      return;
    }
    call(functions.update, state.address(), MemorySegment.ofBuffer(input), input.remaining());
    input.position(input.limit());
  }

  @Override
  protected void engineUpdate(byte input) {
    engineUpdate(new byte[] {input}, 0, 1);
  }

  @Override
  protected void engineUpdate(byte[] input, int offset, int length) {
    MemorySegment source = MemorySegment.ofArray(input);
    MemorySegment piece = Native.scratch();
    for (int done = 0; done < length; ) {
      long bytes = Math.min(length - done, piece.byteSize());
      MemorySegment.copy(source, offset + done, piece, 0, bytes);
      call(functions.update, state.address(), piece, bytes);
      done += (int) bytes;
    }
  }

  @Override
  protected byte[] engineDigest() {
    call(functions.complete, hash.address(), state, 0);
    engineReset();
    return hash.toArray(ValueLayout.JAVA_BYTE);
  }
}
