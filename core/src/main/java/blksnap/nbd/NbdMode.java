package blksnap.nbd;

/** The form of requests and replies, which the client chooses by options. */
enum NbdMode {
  /** Compact requests, and replies that have no room for a message. */
  SIMPLE(NbdProtocol.SIMPLE_REPLY_BYTES, 0),

  /** Compact requests; replies to READ, and errors, come in chunks. */
  STRUCTURED(NbdProtocol.CHUNK_HEADER_BYTES + Long.BYTES, NbdProtocol.CHUNK_HEADER_BYTES),

  /** Requests with lengths of 64 bits; every reply comes in chunks. */
  EXTENDED(NbdProtocol.EXTENDED_HEADER_BYTES + Long.BYTES, NbdProtocol.EXTENDED_HEADER_BYTES);

  private final int dataHeaderBytes;
  private final int chunkHeaderBytes;

  NbdMode(int dataHeaderBytes, int chunkHeaderBytes) {
    this.dataHeaderBytes = dataHeaderBytes;
    this.chunkHeaderBytes = chunkHeaderBytes;
  }

  /** What stands before the data of a READ. */
  int dataHeaderBytes() {
    return dataHeaderBytes;
  }

  /** What stands before the payload of a chunk; 0 where there are none. */
  int chunkHeaderBytes() {
    return chunkHeaderBytes;
  }

  /** Whether there are chunks. */
  boolean chunks() {
    return this != SIMPLE;
  }
}
