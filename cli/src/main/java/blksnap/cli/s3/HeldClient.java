package blksnap.cli.s3;

import blksnap.backup.Transfer;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.concurrent.atomic.AtomicLong;
import software.amazon.awssdk.core.exception.AbortedException;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.ExecutableHttpRequest;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.SdkHttpClient;

/**
 * Sends requests, and holds back what belongs to a {@link Sending}. It stands where bytes go on
 * their way: what the SDK reads before, to sign it, does not count.
 */
final class HeldClient implements SdkHttpClient {
  /** What the request of this thread sends, if that is a part of a transfer. */
  static final ScopedValue<Sending> SENDING = ScopedValue.newInstance();

  private final SdkHttpClient client;

  HeldClient(SdkHttpClient client) {
    this.client = client;
  }

  /** One piece of a transfer, which may be sent more than once. One thread. */
  static final class Sending {
    private final Transfer transfer;

    /** The most of it that was ever sent. */
    private final AtomicLong most = new AtomicLong();

    Sending(Transfer transfer) {
      this.transfer = transfer;
    }

    private void hold(int bytes) {
      transfer.hold(bytes);
      if (transfer.isCancelled()) {
        throw AbortedException.create("it was given up"); // the SDK does not ask again
      }
    }

    private void sent(long upTo) {
      long before = most.getAndAccumulate(upTo, Math::max);
      if (upTo > before) {
        transfer.sent(upTo - before);
      }
    }
  }

  @Override
  public ExecutableHttpRequest prepareRequest(HttpExecuteRequest request) {
    if (!SENDING.isBound() || request.contentStreamProvider().isEmpty()) {
      return client.prepareRequest(request);
    }
    Sending sending = SENDING.get();
    ContentStreamProvider content = request.contentStreamProvider().get();
    return client.prepareRequest(
        HttpExecuteRequest.builder()
            .request(request.httpRequest())
            .contentStreamProvider(() -> new HeldStream(content.newStream(), sending))
            .metricCollector(request.metricCollector().orElse(null))
            .build());
  }

  @Override
  public String clientName() {
    return client.clientName();
  }

  @Override
  public void close() {
    client.close();
  }

  /** The content of a request on its way. */
  private static final class HeldStream extends FilterInputStream {
    private final Sending sending;
    private long sent;

    HeldStream(InputStream content, Sending sending) {
      super(content);
      this.sending = sending;
    }

    private int passed(int count) {
      if (count > 0) {
        sending.hold(count);
        sent += count;
        sending.sent(sent);
      }
      return count;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : Byte.toUnsignedInt(one[0]);
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
      return passed(super.read(target, offset, length));
    }
  }
}
