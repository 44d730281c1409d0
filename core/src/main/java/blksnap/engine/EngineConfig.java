package blksnap.engine;

import blksnap.log.LogRing;
import blksnap.param.Parameter;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.Consumer;

/**
 * What an engine is loaded with.
 *
 * @param runDirectory absolute; for sockets, made with mode 0700
 * @param stateDirectory absolute; for what outlives the engine, made with mode 0700
 * @param parameters values within their ranges; the others have their defaults
 * @param serveControl whether there is a control socket; an embedded engine needs none
 * @param nbd where NBD is served besides the run directory
 * @param logMirror also gets every log line
 */
public record EngineConfig(
    Path runDirectory,
    Path stateDirectory,
    Map<Parameter, Long> parameters,
    boolean serveControl,
    NbdOptions nbd,
    Consumer<LogRing.Line> logMirror) {
  public EngineConfig {
    parameters = Map.copyOf(parameters);
  }

  /**
   * Without TLS.
   *
   * @param tcpPort also serve NBD on this port of 127.0.0.1; 0 takes a free one
   */
  public EngineConfig(
      Path runDirectory,
      Path stateDirectory,
      Map<Parameter, Long> parameters,
      boolean serveControl,
      OptionalInt tcpPort,
      Consumer<LogRing.Line> logMirror) {
    this(
        runDirectory,
        stateDirectory,
        parameters,
        serveControl,
        tcpPort.isPresent() ? NbdOptions.loopback(tcpPort.getAsInt()) : NbdOptions.NONE,
        logMirror);
  }

  Path ctrlSocket() {
    return runDirectory.resolve("ctrl.sock");
  }

  Path nbdSocket() {
    return runDirectory.resolve("nbd.sock");
  }
}
