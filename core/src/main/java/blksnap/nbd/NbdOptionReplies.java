package blksnap.nbd;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Writes the replies to options, gathered in one buffer so that an option is mostly answered by one
 * system call.
 */
final class NbdOptionReplies {
  private static final int HEADER_BYTES = 20;

  private final NbdOutput output;

  /** Holds the largest reply: two strings and a header. */
  private final ByteBuffer buffer;

  NbdOptionReplies(NbdOutput output, ByteBuffer buffer) {
    this.output = output;
    this.buffer = buffer;
  }

  void greeting() throws IOException {
    buffer.clear().putLong(NbdProtocol.GREETING_MAGIC).putLong(NbdProtocol.OPTION_MAGIC);
    buffer.putShort((short) (NbdProtocol.FIXED_NEWSTYLE | NbdProtocol.NO_ZEROES));
    flush();
  }

  /** The answer to EXPORT_NAME, which has a form of its own. */
  void exportName(long sizeBytes, int flags, boolean zeroes) throws IOException {
    buffer.putLong(sizeBytes).putShort((short) flags);
    if (zeroes) {
      buffer.put(new byte[124]);
    }
    flush();
  }

  void server(int option, String name, String description) throws IOException {
    byte[] nameBytes = NbdText.encode(name, NbdProtocol.MAX_STRING_BYTES);
    byte[] descriptionBytes = NbdText.encode(description, NbdProtocol.MAX_STRING_BYTES);
    int length = Integer.BYTES + nameBytes.length + descriptionBytes.length;
    begin(option, NbdProtocol.REP_SERVER, length);
    buffer.putInt(nameBytes.length).put(nameBytes).put(descriptionBytes);
  }

  void infoExport(int option, long sizeBytes, int flags) throws IOException {
    begin(option, NbdProtocol.REP_INFO, 12);
    buffer.putShort((short) NbdProtocol.INFO_EXPORT).putLong(sizeBytes).putShort((short) flags);
  }

  void infoText(int option, int id, String text) throws IOException {
    byte[] bytes = NbdText.encode(text, NbdProtocol.MAX_STRING_BYTES);
    begin(option, NbdProtocol.REP_INFO, Short.BYTES + bytes.length);
    buffer.putShort((short) id).put(bytes);
  }

  void infoBlockSize(int option) throws IOException {
    begin(option, NbdProtocol.REP_INFO, 14);
    buffer.putShort((short) NbdProtocol.INFO_BLOCK_SIZE);
    buffer.putInt(NbdProtocol.MIN_BLOCK_BYTES).putInt(NbdProtocol.PREFERRED_BLOCK_BYTES);
    buffer.putInt(NbdProtocol.MAX_PAYLOAD_BYTES);
  }

  void metaContext(int option, int id, String name) throws IOException {
    byte[] bytes = NbdText.encode(name, NbdProtocol.MAX_STRING_BYTES);
    begin(option, NbdProtocol.REP_META_CONTEXT, Integer.BYTES + bytes.length);
    buffer.putInt(id).put(bytes);
  }

  /** The final reply of an option that worked. */
  void ack(int option) throws IOException {
    begin(option, NbdProtocol.REP_ACK, 0);
    flush();
  }

  /** The final reply of an option that did not; nothing was sent for it before. */
  void error(int option, int replyType, String sentence) throws IOException {
    byte[] message = NbdText.encode(sentence, NbdText.MAX_MESSAGE_BYTES);
    begin(option, replyType, message.length);
    buffer.put(message);
    flush();
  }

  private void begin(int option, int type, int length) throws IOException {
    if (buffer.remaining() < HEADER_BYTES + length) {
      flush();
    }
    buffer.putLong(NbdProtocol.OPTION_REPLY_MAGIC).putInt(option).putInt(type).putInt(length);
  }

  private void flush() throws IOException {
    output.send(buffer.flip());
    buffer.clear();
  }
}
