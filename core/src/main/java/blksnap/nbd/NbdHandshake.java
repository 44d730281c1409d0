package blksnap.nbd;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * Fixed newstyle negotiation with one client, up to transmission or hang-up. How long it may take
 * is the watchdog's business. Used by one thread.
 */
final class NbdHandshake {
  /** Options one client may send; more is not a client. */
  private static final int MAX_OPTIONS = 256;

  /** Data of one option; who announces more is hung up on, since nothing we know is longer. */
  private static final int MAX_OPTION_BYTES = 64 << 10;

  private static final int OPTION_HEADER_BYTES = 16;

  private final NbdInput input;
  private final NbdOptionReplies replies;
  private final ExportTable exports;
  private final Use use;
  private final NbdMetaContexts contexts = new NbdMetaContexts();
  private boolean zeroes;
  private boolean structured;

  /** Takes an export into use, as {@link ExportTable#open} for one peer. */
  interface Use {
    ExportTable.Session open(String name) throws IOException;
  }

  /** How it ended well. */
  record Agreed(ExportTable.Session session, NbdTerms terms) {}

  /** What one option led to. */
  private sealed interface Outcome {
    record NextOption() implements Outcome {}

    record Close() implements Outcome {}

    record Transmission(Agreed agreed) implements Outcome {}
  }

  private static final Outcome NEXT_OPTION = new Outcome.NextOption();

  NbdHandshake(NbdInput input, NbdOptionReplies replies, ExportTable exports, Use use) {
    this.input = input;
    this.replies = replies;
    this.exports = exports;
    this.use = use;
  }

  /**
   * Negotiates.
   *
   * @return empty when the client went away or said ABORT
   * @throws HangUp when the client is not worth an answer
   */
  Optional<Agreed> run() throws IOException {
    replies.greeting();
    if (!input.await(Integer.BYTES)) {
      return Optional.empty();
    }
    int flags = input.buffer().getInt();
    if ((flags & ~(NbdProtocol.FIXED_NEWSTYLE | NbdProtocol.NO_ZEROES)) != 0) {
      throw new HangUp("unknown handshake flags 0x" + Integer.toHexString(flags));
    }
    zeroes = (flags & NbdProtocol.NO_ZEROES) == 0;
    boolean fixed = (flags & NbdProtocol.FIXED_NEWSTYLE) != 0;
    for (int i = 0; i < MAX_OPTIONS; i++) {
      if (!input.await(OPTION_HEADER_BYTES)) {
        return Optional.empty();
      }
      switch (oneOption(fixed)) {
        case Outcome.NextOption _ -> {}
        case Outcome.Close _ -> {
          return Optional.empty();
        }
        case Outcome.Transmission(var agreed) -> {
          return Optional.of(agreed);
        }
      }
    }
    throw new HangUp("more than " + MAX_OPTIONS + " options");
  }

  private Outcome oneOption(boolean fixed) throws IOException {
    ByteBuffer header = input.buffer();
    if (header.getLong() != NbdProtocol.OPTION_MAGIC) {
      throw new HangUp("an option without its magic");
    }
    int option = header.getInt();
    long length = Integer.toUnsignedLong(header.getInt());
    if (length > MAX_OPTION_BYTES) {
      throw new HangUp("an option of " + length + " bytes, over the limit of " + MAX_OPTION_BYTES);
    }
    if (!fixed && option != NbdProtocol.OPT_EXPORT_NAME) {
      throw new HangUp("option " + Integer.toUnsignedString(option) + " without fixed newstyle");
    }
    byte[] data = new byte[(int) length];
    input.readPayload(ByteBuffer.wrap(data));
    if (option == NbdProtocol.OPT_SET_META_CONTEXT) {
      contexts.clear();
    }
    try {
      return answer(option, NbdOption.of(option, ByteBuffer.wrap(data)));
    } catch (BlkSnapException refusal) {
      if (option == NbdProtocol.OPT_EXPORT_NAME) { // it has no reply that could say no
        throw new HangUp(refusal.sentence());
      }
      replies.error(option, refusal);
      return NEXT_OPTION;
    }
  }

  private Outcome answer(int number, NbdOption option) throws IOException {
    return switch (option) {
      case NbdOption.ExportName(var name) -> exportName(name);
      case NbdOption.Abort() -> {
        replies.ack(number);
        yield new Outcome.Close();
      }
      case NbdOption.ListExports() -> {
        for (ExportTable.Export export : exports.list()) {
          replies.server(number, export.name(), export.description());
        }
        replies.ack(number);
        yield NEXT_OPTION;
      }
      case NbdOption.Info info -> info.go() ? go(number, info) : info(number, info);
      case NbdOption.StructuredReply() -> {
        structured = true;
        replies.ack(number);
        yield NEXT_OPTION;
      }
      case NbdOption.MetaContext context -> {
        metaContext(number, context);
        yield NEXT_OPTION;
      }
    };
  }

  private Outcome exportName(String name) throws IOException {
    ExportTable.Export export = find(name);
    return agreed(
        name,
        use.open(export.name()),
        terms ->
            replies.exportName(
                terms.sizeBytes(),
                NbdProtocol.transmissionFlags(terms.readOnly(), terms.structured()),
                zeroes));
  }

  private Outcome info(int number, NbdOption.Info info) throws IOException {
    ExportTable.Export export = find(info.name());
    describe(number, info, export, export.sizeBytes(), export.readOnly());
    replies.ack(number);
    return NEXT_OPTION;
  }

  private Outcome go(int number, NbdOption.Info info) throws IOException {
    ExportTable.Export export = find(info.name());
    return agreed(
        info.name(),
        use.open(export.name()),
        terms -> {
          describe(number, info, export, terms.sizeBytes(), terms.readOnly());
          replies.ack(number);
        });
  }

  /** Tells the client; a session that then nobody would close is closed here. */
  private Outcome agreed(String name, ExportTable.Session session, Announcement announcement)
      throws IOException {
    try {
      long size = session.device().sizeBytes();
      boolean readOnly = session.device().readOnly();
      var terms = new NbdTerms(size, readOnly, structured, contexts.allocation(name));
      announcement.send(terms);
      return new Outcome.Transmission(new Agreed(session, terms));
    } catch (IOException | RuntimeException | Error e) {
      session.close();
      throw e;
    }
  }

  private interface Announcement {
    void send(NbdTerms terms) throws IOException;
  }

  private void describe(
      int number, NbdOption.Info info, ExportTable.Export export, long size, boolean readOnly)
      throws IOException {
    replies.infoExport(number, size, NbdProtocol.transmissionFlags(readOnly, structured));
    if (info.wanted().contains(NbdProtocol.INFO_NAME)) {
      replies.infoText(number, NbdProtocol.INFO_NAME, export.name());
    }
    if (info.wanted().contains(NbdProtocol.INFO_DESCRIPTION) && !export.description().isEmpty()) {
      replies.infoText(number, NbdProtocol.INFO_DESCRIPTION, export.description());
    }
    if (info.wanted().contains(NbdProtocol.INFO_BLOCK_SIZE)) {
      replies.infoBlockSize(number);
    }
  }

  private void metaContext(int number, NbdOption.MetaContext context) throws IOException {
    if (context.set() && !structured) {
      throw new BlkSnapException(
          Errno.EINVAL, "metadata contexts need structured replies to be negotiated first");
    }
    find(context.name());
    if (context.set()) {
      for (String name : contexts.select(context.name(), context.queries())) {
        replies.metaContext(number, NbdMetaContexts.ALLOCATION_ID, name);
      }
    } else {
      for (String name : NbdMetaContexts.list(context.queries())) {
        replies.metaContext(number, 0, name);
      }
    }
    replies.ack(number);
  }

  private ExportTable.Export find(String name) throws BlkSnapException {
    return exports
        .find(name)
        .orElseThrow(() -> new BlkSnapException(Errno.ENOENT, "there is no export '" + name + "'"));
  }

  /** The client has broken the protocol beyond an error reply. */
  static final class HangUp extends IOException {
    private static final long serialVersionUID = 1L;

    HangUp(String why) {
      super(why);
    }
  }
}
