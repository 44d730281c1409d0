package blksnap.nbd;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** One option of the handshake, its data checked to the last byte. */
sealed interface NbdOption {
  /** Queries one meta context option may carry. */
  int MAX_QUERIES = 1000;

  /** Ends the negotiation the old way: any refusal hangs up. */
  record ExportName(String name) implements NbdOption {}

  record Abort() implements NbdOption {}

  record ListExports() implements NbdOption {}

  /**
   * INFO or GO.
   *
   * @param go whether transmission follows
   * @param wanted ids of the information asked for, as they came
   */
  record Info(boolean go, String name, List<Integer> wanted) implements NbdOption {
    public Info {
      wanted = List.copyOf(wanted);
    }
  }

  record StructuredReply() implements NbdOption {}

  record ExtendedHeaders() implements NbdOption {}

  record StartTls() implements NbdOption {}

  /**
   * LIST_META_CONTEXT or SET_META_CONTEXT.
   *
   * @param set whether the matches are selected
   */
  record MetaContext(boolean set, String name, List<String> queries) implements NbdOption {
    public MetaContext {
      queries = List.copyOf(queries);
    }
  }

  /**
   * Takes an option apart.
   *
   * @param data exactly the bytes the client announced
   * @throws BlkSnapException {@code ENOTSUP} for an option we do not have, {@code EINVAL} for data
   *     that does not add up, {@code ENAMETOOLONG} and {@code EOVERFLOW} for what is too much
   */
  static NbdOption of(int option, ByteBuffer data) throws BlkSnapException {
    return switch (option) {
      case NbdProtocol.OPT_EXPORT_NAME -> new ExportName(NbdText.decode(data));
      case NbdProtocol.OPT_ABORT -> new Abort();
      case NbdProtocol.OPT_LIST -> {
        checkEnd("LIST", data);
        yield new ListExports();
      }
      case NbdProtocol.OPT_INFO, NbdProtocol.OPT_GO -> info(option == NbdProtocol.OPT_GO, data);
      case NbdProtocol.OPT_STRUCTURED_REPLY -> {
        checkEnd("STRUCTURED_REPLY", data);
        yield new StructuredReply();
      }
      case NbdProtocol.OPT_EXTENDED_HEADERS -> {
        checkEnd("EXTENDED_HEADERS", data);
        yield new ExtendedHeaders();
      }
      case NbdProtocol.OPT_STARTTLS -> {
        checkEnd("STARTTLS", data);
        yield new StartTls();
      }
      case NbdProtocol.OPT_LIST_META_CONTEXT, NbdProtocol.OPT_SET_META_CONTEXT ->
          metaContext(option == NbdProtocol.OPT_SET_META_CONTEXT, data);
      default ->
          throw new BlkSnapException(
              Errno.ENOTSUP, "option " + Integer.toUnsignedString(option) + " is not supported");
    };
  }

  private static Info info(boolean go, ByteBuffer data) throws BlkSnapException {
    String name = string(data);
    need(data, Short.BYTES);
    int count = Short.toUnsignedInt(data.getShort());
    if (data.remaining() != count * Short.BYTES) {
      throw new BlkSnapException(
          Errno.EINVAL, count + " information ids in " + data.remaining() + " bytes");
    }
    var wanted = new ArrayList<Integer>(count);
    while (data.hasRemaining()) {
      wanted.add(Short.toUnsignedInt(data.getShort()));
    }
    return new Info(go, name, wanted);
  }

  private static MetaContext metaContext(boolean set, ByteBuffer data) throws BlkSnapException {
    String name = string(data);
    need(data, Integer.BYTES);
    int count = data.getInt();
    if (Integer.compareUnsigned(count, MAX_QUERIES) > 0) {
      throw new BlkSnapException(
          Errno.EOVERFLOW,
          Integer.toUnsignedString(count) + " queries are over the limit of " + MAX_QUERIES);
    }
    var queries = new ArrayList<String>();
    for (int i = 0; i < count; i++) {
      queries.add(string(data));
    }
    checkEnd("meta context option", data);
    return new MetaContext(set, name, queries);
  }

  /** A length and so many bytes of text. */
  private static String string(ByteBuffer data) throws BlkSnapException {
    need(data, Integer.BYTES);
    long length = Integer.toUnsignedLong(data.getInt());
    need(data, length);
    String text = NbdText.decode(data.slice(data.position(), (int) length));
    data.position(data.position() + (int) length);
    return text;
  }

  private static void need(ByteBuffer data, long bytes) throws BlkSnapException {
    if (bytes > data.remaining()) {
      throw new BlkSnapException(
          Errno.EINVAL, bytes + " bytes announced, " + data.remaining() + " left in the option");
    }
  }

  private static void checkEnd(String what, ByteBuffer data) throws BlkSnapException {
    if (data.hasRemaining()) {
      throw new BlkSnapException(
          Errno.EINVAL, what + " with " + data.remaining() + " bytes too many");
    }
  }
}
