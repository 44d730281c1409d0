package blksnap.cli.it;

import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;

/** S3Proxy: a server of S3, as a process of its own, whose buckets are directories. */
final class S3Server implements Closeable {
  static final String USER = "somebody";
  static final String SECRET = "secret-of-somebody";
  static final String BUCKET = "bucket";

  /** Another program may take the port that was free. */
  private static final int ATTEMPTS = 5;

  private final Background process;
  private final InetSocketAddress address;
  private final Path data;

  private S3Server(Background process, InetSocketAddress address, Path data) {
    this.process = process;
    this.address = address;
    this.data = data;
  }

  static S3Server start(Lab lab) throws IOException {
    Path data = Files.createDirectory(lab.path("s3"));
    Files.createDirectory(data.resolve(BUCKET));
    for (int attempt = 1; ; attempt++) {
      var address = new InetSocketAddress(InetAddress.getLoopbackAddress(), freePort());
      Path config =
          Files.writeString(
              lab.path("s3proxy.conf"),
              String.join(
                  "\n",
                  "s3proxy.endpoint=http://127.0.0.1:" + address.getPort(),
                  "s3proxy.authorization=aws-v4",
                  "s3proxy.identity=" + USER,
                  "s3proxy.credential=" + SECRET,
                  "jclouds.provider=filesystem-nio2",
                  "jclouds.filesystem.basedir=" + data));
      Background process =
          lab.start(
              Lab.java(), "-Xmx256m", "-jar", jar().toString(), "--properties", config.toString());
      Lab.until("S3Proxy serves", () -> answers(address) || !process.isAlive());
      if (process.isAlive()) {
        return new S3Server(process, address, data);
      }
      process.close();
      if (attempt == ATTEMPTS) {
        throw new IOException("S3Proxy does not start: " + process.output());
      }
    }
  }

  /** The build has put it there. */
  private static Path jar() throws IOException {
    Path directory = Path.of(System.getProperty("basedir", ""), "target/s3proxy").toAbsolutePath();
    try (var files = Files.list(directory)) {
      return files.filter(file -> file.toString().endsWith(".jar")).findFirst().orElseThrow();
    }
  }

  private static int freePort() throws IOException {
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  private static boolean answers(InetSocketAddress address) {
    try (var socket = new Socket()) {
      socket.connect(address);
      return true;
    } catch (IOException _) {
      return false;
    }
  }

  InetSocketAddress address() {
    return address;
  }

  /** Where an object is on this machine's disk. */
  Path file(String object) {
    return data.resolve(BUCKET).resolve(object);
  }

  @Override
  public void close() {
    process.close();
  }
}
