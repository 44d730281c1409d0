package blksnap.nbd;

/** The numbers of the NBD wire; all integers there are big-endian and unsigned. */
final class NbdProtocol {
  /** "NBDMAGIC", the first eight bytes the server sends. */
  static final long GREETING_MAGIC = 0x4e42444d41474943L;

  /** "IHAVEOPT", after the greeting, and before every option a client sends. */
  static final long OPTION_MAGIC = 0x49484156454F5054L;

  static final long OPTION_REPLY_MAGIC = 0x0003e889045565a9L;
  static final int REQUEST_MAGIC = 0x25609513;
  static final int EXTENDED_REQUEST_MAGIC = 0x21e41c71;
  static final int SIMPLE_REPLY_MAGIC = 0x67446698;
  static final int STRUCTURED_REPLY_MAGIC = 0x668e33ef;
  static final int EXTENDED_REPLY_MAGIC = 0x6e8a278c;

  // Handshake flags; the client answers with the same bits.
  static final int FIXED_NEWSTYLE = 1;
  static final int NO_ZEROES = 1 << 1;

  // Options.
  static final int OPT_EXPORT_NAME = 1;
  static final int OPT_ABORT = 2;
  static final int OPT_LIST = 3;
  static final int OPT_STARTTLS = 5;
  static final int OPT_INFO = 6;
  static final int OPT_GO = 7;
  static final int OPT_STRUCTURED_REPLY = 8;
  static final int OPT_LIST_META_CONTEXT = 9;
  static final int OPT_SET_META_CONTEXT = 10;
  static final int OPT_EXTENDED_HEADERS = 11;

  // Option reply types.
  static final int REP_ACK = 1;
  static final int REP_SERVER = 2;
  static final int REP_INFO = 3;
  static final int REP_META_CONTEXT = 4;
  static final int REP_ERR_UNSUP = 0x80000001;
  static final int REP_ERR_POLICY = 0x80000002;
  static final int REP_ERR_INVALID = 0x80000003;
  static final int REP_ERR_TLS_REQD = 0x80000005;
  static final int REP_ERR_UNKNOWN = 0x80000006;
  static final int REP_ERR_SHUTDOWN = 0x80000007;
  static final int REP_ERR_TOO_BIG = 0x80000009;
  static final int REP_ERR_EXT_HEADER_REQD = 0x8000000a;

  // Information items.
  static final int INFO_EXPORT = 0;
  static final int INFO_NAME = 1;
  static final int INFO_DESCRIPTION = 2;
  static final int INFO_BLOCK_SIZE = 3;

  // Transmission flags.
  static final int HAS_FLAGS = 1;
  static final int READ_ONLY = 1 << 1;
  static final int SEND_FLUSH = 1 << 2;
  static final int SEND_FUA = 1 << 3;
  static final int SEND_TRIM = 1 << 5;
  static final int SEND_WRITE_ZEROES = 1 << 6;
  static final int SEND_DF = 1 << 7;
  static final int CAN_MULTI_CONN = 1 << 8;
  static final int SEND_CACHE = 1 << 10;
  static final int SEND_FAST_ZERO = 1 << 11;
  static final int BLOCK_STATUS_PAYLOAD = 1 << 12;

  // Commands.
  static final int CMD_READ = 0;
  static final int CMD_WRITE = 1;
  static final int CMD_DISC = 2;
  static final int CMD_FLUSH = 3;
  static final int CMD_TRIM = 4;
  static final int CMD_CACHE = 5;
  static final int CMD_WRITE_ZEROES = 6;
  static final int CMD_BLOCK_STATUS = 7;

  // Command flags.
  static final int FLAG_FUA = 1;
  static final int FLAG_NO_HOLE = 1 << 1;
  static final int FLAG_DF = 1 << 2;
  static final int FLAG_REQ_ONE = 1 << 3;
  static final int FLAG_FAST_ZERO = 1 << 4;
  static final int FLAG_PAYLOAD_LEN = 1 << 5;

  /** The error of a FAST_ZERO that would not be fast (ENOTSUP), and of nothing else. */
  static final int NOT_FAST = 95;

  // Chunks.
  static final int CHUNK_DONE = 1;
  static final int CHUNK_NONE = 0;
  static final int CHUNK_OFFSET_DATA = 1;
  static final int CHUNK_OFFSET_HOLE = 2;
  static final int CHUNK_BLOCK_STATUS = 5;
  static final int CHUNK_BLOCK_STATUS_EXTENDED = 6;
  static final int CHUNK_ERROR = 0x8001;

  static final int SIMPLE_REPLY_BYTES = 16;
  static final int CHUNK_HEADER_BYTES = 20;
  static final int EXTENDED_HEADER_BYTES = 32;

  // Bits of base:allocation.
  static final int STATE_DATA = 0;
  static final int STATE_HOLE_AND_ZERO = 3;

  /** Smallest unit a request may address: any byte. */
  static final int MIN_BLOCK_BYTES = 1;

  /** What requests should be multiples of, to be fast. */
  static final int PREFERRED_BLOCK_BYTES = 4096;

  /** The most data one READ or WRITE carries; every client may count on it. */
  static final int MAX_PAYLOAD_BYTES = 32 << 20;

  /** Longest export name, description, query or message, in bytes of UTF-8. */
  static final int MAX_STRING_BYTES = 4096;

  private NbdProtocol() {}

  /**
   * What a client may do with an export.
   *
   * @param mode without chunks DF means nothing
   * @param statusPayload whether BLOCK_STATUS may name contexts
   */
  static int transmissionFlags(boolean readOnly, NbdMode mode, boolean statusPayload) {
    int flags = HAS_FLAGS | SEND_FLUSH | SEND_FUA | CAN_MULTI_CONN | SEND_CACHE;
    flags |= readOnly ? READ_ONLY : SEND_TRIM | SEND_WRITE_ZEROES | SEND_FAST_ZERO;
    flags |= mode.chunks() ? SEND_DF : 0;
    return statusPayload ? flags | BLOCK_STATUS_PAYLOAD : flags;
  }
}
