package blksnap.nbd;

import blksnap.buffer.BufferPool;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * One thread's part in a connection: waits for its turn, reads one whole request, mostly passes the
 * turn on, does the work and answers, again and again.
 */
final class NbdWorker {
  /** A worker's own memory: a header, and behind it a small payload. */
  static final int SCRATCH_BYTES = 16 << 10;

  /** A payload that is not wanted is still read, up to here; beyond, the client is hung up on. */
  private static final long MAX_SKIPPED_BYTES = 2L * NbdProtocol.MAX_PAYLOAD_BYTES;

  /** Requests with more data than this always pass the turn on. */
  private static final int MAX_KEPT_BYTES = 64 << 10;

  /** Who waits for a limit looks so often whether it still has to. */
  private static final long LOOK_NANOS = 20_000_000;

  private final NbdConnection connection;
  private final NbdInput input;
  private final NbdTurn turn;
  private final NbdShared shared;
  private final NbdTerms terms;
  private final NbdPayloads payloads;
  private final NbdPace pace;
  private final NbdInFlight inFlight;
  private final ByteBuffer scratch;
  private final NbdReply reply;
  private final NbdExecutor executor;

  /** What every request has to pass; null where nothing can hold it up. */
  private final @Nullable NbdThrottle throttle;

  /** What every request begins with, how long that is, and the most that may follow. */
  private final int magic;

  private final int headerBytes;
  private final long mostPayload;
  private final boolean extended;

  /** Whether no one else may read, unless {@link #kept} says that the watchdog decides. */
  private boolean mine;

  /** The number under which the turn is kept while a request is worked on, or 0. */
  private int kept;

  /**
   * A request as it came, with what it carried.
   *
   * @param offset as it came, which extended replies repeat
   * @param unread whether the payload of a WRITE, for which there was no memory, is still to come
   */
  private record Received(
      long cookie,
      long offset,
      NbdCommand command,
      ByteBuffer data,
      Optional<NbdPayloads.Payload> payload,
      boolean unread) {
    static Received without(NbdRequest request, NbdCommand command, ByteBuffer scratch) {
      return new Received(
          request.cookie(), request.offset(), command, scratch, Optional.empty(), false);
    }
  }

  private static final Received NOTHING_MORE =
      new Received(
          0, 0, new NbdCommand.Disconnect(), ByteBuffer.allocate(0), Optional.empty(), false);

  NbdWorker(NbdConnection connection, NbdHandshake.Agreed agreed, BufferPool.Lease lease) {
    this.connection = connection;
    NbdLink link = connection.link();
    this.input = link.input();
    this.turn = link.turn();
    this.shared = connection.shared();
    this.terms = agreed.terms();
    this.extended = terms.mode() == NbdMode.EXTENDED;
    this.magic = extended ? NbdProtocol.EXTENDED_REQUEST_MAGIC : NbdProtocol.REQUEST_MAGIC;
    this.headerBytes = extended ? NbdRequest.EXTENDED_BYTES : NbdRequest.BYTES;
    this.mostPayload = extended ? NbdProtocol.MAX_PAYLOAD_BYTES : MAX_SKIPPED_BYTES;
    this.throttle = agreed.session().throttle().orElse(null);
    this.payloads = link.payloads();
    this.pace = link.pace();
    this.inFlight = link.inFlight();
    this.scratch = lease.buffer();
    this.reply = new NbdReply(link.output(), terms.mode(), scratch);
    var device = new RecordedDevice(agreed.session().device(), connection.exportName());
    this.executor = new NbdExecutor(device, terms, payloads, reply, scratch, shared.stats());
  }

  /**
   * Works until the connection ends.
   *
   * @throws IOException when the connection broke, or the client has to be hung up on
   */
  void work() throws IOException {
    turn.take();
    mine = true;
    try {
      while (!connection.ended()) {
        Received received = receive();
        if (received.command() instanceof NbdCommand.Disconnect) {
          return;
        }
        if (received.unread()) {
          answer(received); // with the turn: its payload is what comes next
          continue;
        }
        if (pace.fast(input.buffered() > 0) && mayKeep(received.command())) {
          kept = turn.keep();
          shared.watchdog().wake();
        } else {
          mine = false;
          connection.handOver();
        }
        answer(received);
        if (kept != 0) {
          mine = turn.retain(kept);
          kept = 0;
        }
        if (!mine) {
          turn.take();
          mine = true;
        }
      }
    } finally {
      connection.end(); // before the turn is given: what comes next may not be a request at all
      if (kept != 0 ? turn.retain(kept) : mine) {
        turn.give();
      }
    }
  }

  private static boolean mayKeep(NbdCommand command) {
    return switch (command) {
      case NbdCommand.Read read -> read.length() <= MAX_KEPT_BYTES;
      case NbdCommand.Write write -> write.length() <= MAX_KEPT_BYTES && !write.fua();
      case NbdCommand.Refused _ -> true;
      case NbdCommand.Flush _,
          NbdCommand.Trim _,
          NbdCommand.Cache _,
          NbdCommand.WriteZeroes _,
          NbdCommand.BlockStatus _,
          NbdCommand.FilteredStatus _,
          NbdCommand.Disconnect _ ->
          false;
    };
  }

  /**
   * Reads one request and its payload; a connection that was closed between requests is a
   * disconnect.
   */
  private Received receive() throws IOException {
    if (!input.await(headerBytes)) {
      return NOTHING_MORE;
    }
    ByteBuffer header = input.buffer();
    if (header.getInt() != magic) {
      throw new NbdHandshake.HangUp("a request without its magic");
    }
    NbdRequest request = NbdRequest.decode(header, extended);
    if (Long.compareUnsigned(request.payloadBytes(), mostPayload) > 0) {
      throw new NbdHandshake.HangUp(
          "a payload of " + Long.toUnsignedString(request.payloadBytes()) + " bytes");
    }
    if (throttle != null && throttle.holds() && request.type() != NbdProtocol.CMD_DISC) {
      pass(throttle, request);
    }
    try {
      return switch (NbdCommand.of(request, terms)) {
        case NbdCommand.Write write -> receivePayload(request, write);
        case NbdCommand.FilteredStatus status -> receiveFilter(request, status);
        case NbdCommand command -> Received.without(request, command, scratch);
      };
    } catch (BlkSnapException refusal) {
      input.skipPayload(request.payloadBytes());
      return Received.without(request, new NbdCommand.Refused(refusal), scratch);
    }
  }

  /**
   * Waits until the limit lets the request in; nothing is held meanwhile but the turn, so that the
   * next ones of this client wait unread, and no payload is in memory.
   */
  private void pass(NbdThrottle limit, NbdRequest request) {
    long bytes =
        Long.compareUnsigned(request.length(), NbdProtocol.MAX_PAYLOAD_BYTES) > 0
            ? NbdProtocol.MAX_PAYLOAD_BYTES
            : request.length();
    boolean moves =
        request.type() == NbdProtocol.CMD_READ
            || request.type() == NbdProtocol.CMD_WRITE
            || request.type() == NbdProtocol.CMD_CACHE;
    NbdThrottle.Limits before = limit.limits();
    long now = System.nanoTime();
    long until = now + limit.enter(moves ? bytes : 0, now);
    for (long left = until - now;
        left > 0 && !connection.ended() && limit.limits().equals(before);
        left = until - System.nanoTime()) {
      LockSupport.parkNanos(this, Math.min(left, LOOK_NANOS));
    }
  }

  private Received receiveFilter(NbdRequest request, NbdCommand.FilteredStatus status)
      throws IOException {
    scratch.clear().limit(status.payload());
    input.readPayload(scratch);
    NbdCommand command;
    try {
      command = status.with(scratch.flip(), terms);
    } catch (BlkSnapException refusal) {
      command = new NbdCommand.Refused(refusal);
    }
    return Received.without(request, command, scratch);
  }

  private Received receivePayload(NbdRequest request, NbdCommand.Write write) throws IOException {
    int length = write.length();
    if (length <= SCRATCH_BYTES - NbdReply.DATA_AT) {
      scratch.limit(NbdReply.DATA_AT + length).position(NbdReply.DATA_AT);
      input.readPayload(scratch);
      return Received.without(request, write, scratch.position(NbdReply.DATA_AT));
    }
    Optional<NbdPayloads.Payload> memory = payloads.take(length); // a failure leaves all unread
    if (memory.isEmpty()) {
      return new Received(request.cookie(), request.offset(), write, scratch, memory, true);
    }
    NbdPayloads.Payload payload = memory.get();
    boolean whole = false;
    try {
      input.readPayload(payload.buffer());
      whole = true;
    } finally {
      if (!whole) {
        payload.close();
      }
    }
    return new Received(
        request.cookie(), request.offset(), write, payload.buffer().position(0), memory, false);
  }

  private void answer(Received received) throws IOException {
    shared.stats().requests.increment();
    boolean begun = inFlight.begin();
    try {
      NbdCommand command = received.command();
      if (!begun && !(command instanceof NbdCommand.Refused)) {
        received.payload().ifPresent(NbdPayloads.Payload::close);
        if (received.unread()) {
          input.skipPayload(((NbdCommand.Write) command).length());
        }
        command =
            new NbdCommand.Refused(
                new BlkSnapException(Errno.ESHUTDOWN, "the server is shutting down"));
      }
      execute(received, command);
    } finally {
      if (begun) {
        inFlight.done();
      }
    }
  }

  private void execute(Received received, NbdCommand command) throws IOException {
    reply.to(received.cookie(), received.offset());
    try {
      switch (command) {
        case NbdCommand.Read read -> {
          executor.read(read);
          pace.add(executor.deviceNanos());
        }
        case NbdCommand.BlockStatus status -> executor.blockStatus(status);
        case NbdCommand.Refused(var why) -> refuse(why);
        case NbdCommand.Write write when received.unread() -> {
          writeInParts(write);
          reply.done();
        }
        case NbdCommand.Write _ -> {
          try {
            executor.change(command, received.data());
          } finally { // before the reply: who does not read it holds no payload
            received.payload().ifPresent(NbdPayloads.Payload::close);
          }
          pace.add(executor.deviceNanos());
          reply.done();
        }
        case NbdCommand.WriteZeroes zeroes when !executor.isFastEnough(zeroes) ->
            refuse(NbdProtocol.NOT_FAST, "zeroing would not be faster than writing here");
        case NbdCommand.Flush _, NbdCommand.Trim _, NbdCommand.WriteZeroes _ -> {
          executor.change(command, received.data());
          reply.done();
        }
        case NbdCommand.Cache cache -> {
          executor.cache(cache);
          reply.done();
        }
        case NbdCommand.Disconnect _, NbdCommand.FilteredStatus _ ->
            throw new IllegalArgumentException(command + " is not answered");
      }
    } catch (NbdExecutor.DeviceFailure failure) {
      BlkSnapException refusal = failure.refusal();
      connection.complain(command.getClass().getSimpleName() + " failed", refusal);
      refuse(refusal);
    }
  }

  /**
   * A WRITE for which there was no memory: each part is written when it has come. Parts that were
   * written stay when a later one fails or never comes, as after a loss of power.
   */
  private void writeInParts(NbdCommand.Write write) throws IOException, NbdExecutor.DeviceFailure {
    Optional<NbdExecutor.DeviceFailure> failure = Optional.empty();
    for (int done = 0; done < write.length(); ) {
      long offset = write.offset() + done;
      int part = NbdExecutor.partBytes(offset, write.length() - done);
      scratch.clear().position(NbdReply.DATA_AT).limit(NbdReply.DATA_AT + part);
      input.readPayload(scratch);
      if (failure.isEmpty()) {
        try {
          executor.change(
              new NbdCommand.Write(offset, part, false), scratch.position(NbdReply.DATA_AT));
        } catch (NbdExecutor.DeviceFailure e) {
          failure = Optional.of(e); // the rest is still to be read
        }
      }
      done += part;
    }
    if (failure.isPresent()) {
      throw failure.get();
    }
    if (write.fua()) {
      executor.change(new NbdCommand.Flush(), scratch);
    }
  }

  private void refuse(BlkSnapException why) throws IOException {
    refuse(NbdErrors.ofRequest(why.errno()), why.sentence());
  }

  private void refuse(int error, String sentence) throws IOException {
    shared.stats().failed.increment();
    reply.error(error, sentence);
  }
}
