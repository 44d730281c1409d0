package blksnap.nbd;

import blksnap.device.BlockDevice;
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
  private final NbdMetaContexts contexts;
  private boolean zeroes;
  private NbdMode mode = NbdMode.SIMPLE;

  /** What the connection does for its negotiation. */
  interface Use {
    /** Takes an export into use, as {@link ExportTable#open} for one peer. */
    ExportTable.Session open(String name) throws IOException;

    /** Whether TLS may or must be asked for. */
    NbdTlsDemand demand();

    /** Whether the client speaks TLS by now. */
    boolean encrypted();

    /**
     * Goes over to TLS, as the client was promised.
     *
     * @throws IOException when the client cannot, or is not who it has to be: to be hung up on
     */
    void encrypt() throws IOException;

    /** What the client, as far as it is known by now, may use. */
    NbdRights rights();
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
    this.contexts = new NbdMetaContexts(exports);
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
      requireTls(option);
      return answer(option, NbdOption.of(option, ByteBuffer.wrap(data)));
    } catch (Refusal refusal) {
      return refuse(option, refusal.replyType, String.valueOf(refusal.getMessage()));
    } catch (BlkSnapException refusal) {
      return refuse(option, NbdErrors.ofOption(refusal.errno()), refusal.sentence());
    }
  }

  private Outcome refuse(int option, int replyType, String sentence) throws IOException {
    if (option == NbdProtocol.OPT_EXPORT_NAME) { // it has no reply that could say no
      throw new HangUp(sentence);
    }
    replies.error(option, replyType, sentence);
    return NEXT_OPTION;
  }

  /** Where TLS is demanded nothing else is said before, whatever the option is. */
  private void requireTls(int option) throws Refusal {
    if (use.demand() == NbdTlsDemand.REQUIRED
        && !use.encrypted()
        && option != NbdProtocol.OPT_STARTTLS
        && option != NbdProtocol.OPT_ABORT) {
      throw new Refusal(NbdProtocol.REP_ERR_TLS_REQD, "TLS has to be negotiated first");
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
        NbdRights rights = use.rights();
        for (ExportTable.Export export : exports.list()) {
          if (rights.allows(export.name())) {
            replies.server(number, export.name(), export.description());
          }
        }
        replies.ack(number);
        yield NEXT_OPTION;
      }
      case NbdOption.Info info -> info.go() ? go(number, info) : info(number, info);
      case NbdOption.StructuredReply() -> {
        if (mode == NbdMode.EXTENDED) {
          throw new Refusal(
              NbdProtocol.REP_ERR_EXT_HEADER_REQD, "extended headers hold, which say more");
        }
        mode = NbdMode.STRUCTURED;
        replies.ack(number);
        yield NEXT_OPTION;
      }
      case NbdOption.ExtendedHeaders() -> {
        if (mode == NbdMode.EXTENDED) {
          throw new BlkSnapException(Errno.EINVAL, "extended headers hold already");
        }
        mode = NbdMode.EXTENDED;
        replies.ack(number);
        yield NEXT_OPTION;
      }
      case NbdOption.StartTls() -> {
        startTls(number);
        yield NEXT_OPTION;
      }
      case NbdOption.MetaContext context -> {
        metaContext(number, context);
        yield NEXT_OPTION;
      }
    };
  }

  /** What was negotiated without TLS may have been said by anybody, and is forgotten. */
  private void startTls(int number) throws IOException {
    if (use.encrypted()) {
      throw new BlkSnapException(Errno.EINVAL, "TLS is on already");
    }
    if (use.demand() == NbdTlsDemand.OFF) {
      throw new BlkSnapException(Errno.ENOTSUP, "TLS is not offered here");
    }
    if (input.buffered() > 0) {
      throw new HangUp("something was sent behind STARTTLS before it was answered");
    }
    replies.ack(number);
    use.encrypt();
    mode = NbdMode.SIMPLE;
    contexts.clear();
  }

  private Outcome exportName(String name) throws IOException {
    if (mode == NbdMode.EXTENDED) {
      throw new HangUp("EXPORT_NAME after extended headers, which it can not announce");
    }
    ExportTable.Export export = find(name);
    return agreed(
        name,
        export,
        terms -> replies.exportName(terms.sizeBytes(), terms.transmissionFlags(), zeroes));
  }

  private Outcome info(int number, NbdOption.Info info) throws IOException {
    ExportTable.Export export = find(info.name());
    boolean readOnly = export.readOnly() || use.rights().readOnly(export.name());
    boolean statusPayload = mode == NbdMode.EXTENDED && contexts.anyFor(info.name());
    int flags = NbdProtocol.transmissionFlags(readOnly, mode, statusPayload);
    describe(number, info, export, export.sizeBytes(), flags);
    replies.ack(number);
    return NEXT_OPTION;
  }

  private Outcome go(int number, NbdOption.Info info) throws IOException {
    ExportTable.Export export = find(info.name());
    return agreed(
        info.name(),
        export,
        terms -> {
          describe(number, info, export, terms.sizeBytes(), terms.transmissionFlags());
          replies.ack(number);
        });
  }

  /** Tells the client; a session that then nobody would close is closed here. */
  private Outcome agreed(String name, ExportTable.Export export, Announcement announcement)
      throws IOException {
    ExportTable.Session session = use.open(export.name());
    try {
      BlockDevice device = session.device();
      boolean readOnly = device.readOnly() || use.rights().readOnly(export.name());
      var terms = new NbdTerms(device.sizeBytes(), readOnly, mode, contexts.of(name, device));
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
      int number, NbdOption.Info info, ExportTable.Export export, long size, int flags)
      throws IOException {
    replies.infoExport(number, size, flags);
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
    if (context.set() && !mode.chunks()) {
      throw new BlkSnapException(
          Errno.EINVAL, "metadata contexts need structured replies to be negotiated first");
    }
    find(context.name());
    if (context.set()) {
      int id = 1;
      for (String name : contexts.select(context.name(), context.queries())) {
        replies.metaContext(number, id++, name);
      }
    } else {
      for (String name : contexts.list(context.name(), context.queries())) {
        replies.metaContext(number, 0, name);
      }
    }
    replies.ack(number);
  }

  /** Who may not use everything does not learn either what else there is. */
  private ExportTable.Export find(String name) throws IOException {
    NbdRights rights = use.rights();
    Optional<ExportTable.Export> found =
        exports.find(name).filter(export -> rights.allows(export.name()));
    if (found.isPresent()) {
      return found.get();
    }
    if (!rights.restricted()) {
      throw new BlkSnapException(Errno.ENOENT, "there is no export '" + name + "'");
    }
    if (!use.encrypted()) {
      throw new Refusal(
          NbdProtocol.REP_ERR_TLS_REQD, "'" + name + "' needs TLS, and a certificate");
    }
    throw new BlkSnapException(Errno.EACCES, "'" + name + "' is not for this client");
  }

  /** An option is refused for a reason that has no errno. */
  private static final class Refusal extends IOException {
    private static final long serialVersionUID = 1L;

    private final int replyType;

    Refusal(int replyType, String sentence) {
      super(sentence);
      this.replyType = replyType;
    }
  }

  /** The client has broken the protocol beyond an error reply. */
  static final class HangUp extends IOException {
    private static final long serialVersionUID = 1L;

    HangUp(String why) {
      super(why);
    }
  }
}
