package blksnap.cli.daemon;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Directories;
import blksnap.cli.command.EnumWord;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.command.Labels;
import blksnap.cli.live.Waiting;
import blksnap.cli.output.OutputFormat;
import blksnap.ctrl.CtrlReply;
import blksnap.engine.NbdOptions;
import blksnap.error.BlkSnapException;
import blksnap.linux.InheritedSocket;
import blksnap.log.LogRing.Level;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Starts the engine, as a daemon or in this process. */
@Command(
    name = "load",
    description = {
      "Start the engine; returns when it serves.",
      "What was attached before is attached again. Parameters are those of 'blksnap param list'."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap load",
      "  blksnap load chunk_minimum_shift=20 diff_storage_minimum=4194304",
      "  blksnap load --foreground --run-dir /run/blksnap",
      "  blksnap load --listen tcp:0.0.0.0 --tls=required --tls-certificates /etc/pki/blksnap \\",
      "      --tls-allow 'backup=*@*:ro' --tls-allow 'hypervisor=vm*'"
    })
public final class LoadCommand implements Callable<Integer> {
  private static final int MAX_PORT = 65_535;
  private static final String UNIX = "unix:";

  /** What the engine met on its way up is shown as far as this. */
  private static final int MAX_WARNINGS = 20;

  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Parameters(
      arity = "0..*",
      paramLabel = Labels.ASSIGNMENT,
      description = "Parameters; they win over those of --config.")
  List<String> assignments = List.of();

  @Option(
      names = "--config",
      paramLabel = Labels.FILE,
      description = "File of parameters, one NAME=VALUE a line; lines with # are comments.")
  Optional<Path> config = Optional.empty();

  @Option(
      names = "--foreground",
      description = "Stay in this process until unloaded or ended by SIGTERM or SIGINT.")
  boolean foreground;

  @Option(
      names = "--tcp",
      paramLabel = "PORT",
      description = "Serve NBD also on this port of 127.0.0.1.")
  Optional<Integer> tcp = Optional.empty();

  @Option(
      names = "--listen",
      paramLabel = "PLACE",
      description = {
        "Serve NBD also on unix:PATH or tcp:HOST[:PORT], besides the socket in the run directory;"
            + " may",
        "be repeated. Other hosts than the loopback's need --tls=required."
      })
  List<String> listen = List.of();

  @Option(
      names = "--tls",
      paramLabel = "off|on|required",
      converter = ToTls.class,
      completionCandidates = TlsWords.class,
      description = {
        "Whether NBD clients may speak TLS, or have to over TCP. They need a certificate of the"
            + " same",
        "authority as the engine's. Default: off."
      })
  NbdOptions.Tls tls = NbdOptions.Tls.OFF;

  @Option(
      names = "--tls-certificates",
      paramLabel = Labels.DIRECTORY,
      description = "Directory with ca-cert.pem, server-cert.pem and server-key.pem.")
  Optional<Path> certificates = Optional.empty();

  @Option(
      names = "--tls-allow",
      paramLabel = "CLIENT=EXPORT[:ro][,...]",
      description = {
        "Let who has a certificate with this common name use these exports over TCP, and no others;"
            + " *",
        "stands for any client, and in a name for any characters. May be repeated; the first that",
        "matches counts. Default: every client may use everything."
      })
  List<String> allow = List.of();

  @Option(
      names = "--notify",
      hidden = true,
      description = "Say on standard output when serving, and leave the terminal's session.")
  boolean notify;

  public LoadCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (context.options().embedded()) {
      throw usage("--embedded engines live for one command: load starts one that stays");
    }
    if (foreground && context.inShell()) {
      throw usage("--foreground would end with the shell: leave it and load from outside");
    }
    if (tcp.isPresent() && (tcp.get() < 1 || tcp.get() > MAX_PORT)) {
      throw usage("--tcp takes a port from 1 to " + MAX_PORT + ", not " + tcp.get());
    }
    List<String> places = places();
    Optional<Path> files = certificates.map(context.environment()::absolute);
    NbdOptions nbd = nbdOptions(places, files);
    for (String assignment : assignments) {
      if (!assignment.contains("=")) {
        throw usage("'" + assignment + "' is not of the form NAME=VALUE");
      }
    }
    var parameters = new ParameterAssignments();
    if (config.isPresent()) {
      parameters.addFile(context.environment().absolute(config.get()));
    }
    for (String assignment : assignments) {
      parameters.add(assignment);
    }
    Directories directories = context.directories();
    if (foreground) {
      return new ForegroundEngine(context, directories, notify).run(parameters.values(), nbd);
    }
    var grave = new ArrayBlockingQueue<String>(MAX_WARNINGS);
    try (Waiting waiting = context.waiting("loading")) {
      new DaemonLauncher(directories)
          .launch(
              parameters.words(),
              nbdWords(places, files),
              line -> {
                waiting.stage("loading: " + line.text());
                if (line.level().number() <= Level.WARNING.number()) {
                  var _ = grave.offer(line.text()); // dmesg has them all
                }
              });
    }
    if (context.format() != OutputFormat.JSON) {
      grave.forEach(context::warn);
    }
    context.printer().print(new CtrlReply.Done());
    return ExitCodes.DONE;
  }

  /** As absolute as they have to be for a daemon, which runs elsewhere. */
  private List<String> places() {
    var places = new ArrayList<String>();
    tcp.ifPresent(port -> places.add("tcp:127.0.0.1:" + port));
    for (String place : listen) {
      places.add(
          place.startsWith(UNIX) && place.length() > UNIX.length()
              ? UNIX + context.environment().absolute(Path.of(place.substring(UNIX.length())))
              : place);
    }
    return places;
  }

  /**
   * Sockets that the service manager opened are for the process it started, so not for a daemon.
   */
  private NbdOptions nbdOptions(List<String> places, Optional<Path> files) throws IOException {
    List<Integer> inherited =
        foreground && !notify
            ? InheritedSocket.descriptors(System.getenv(), ProcessHandle.current().pid())
            : List.of();
    try {
      return NbdOptions.of(places, inherited, tls, files, allow);
    } catch (BlkSnapException e) {
      throw usage(e.hint().isEmpty() ? e.sentence() : e.sentence() + ": " + e.hint());
    }
  }

  private List<String> nbdWords(List<String> places, Optional<Path> files) {
    var words = new ArrayList<String>();
    places.forEach(place -> words.addAll(List.of("--listen", place)));
    if (tls != NbdOptions.Tls.OFF) {
      words.addAll(List.of("--tls", tls.name().toLowerCase(Locale.ROOT)));
    }
    files.ifPresent(path -> words.addAll(List.of("--tls-certificates", path.toString())));
    allow.forEach(one -> words.addAll(List.of("--tls-allow", one)));
    return words;
  }

  /** What completion offers. */
  static final class TlsWords extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    TlsWords() {
      super(EnumWord.words(NbdOptions.Tls.values()));
    }
  }

  static final class ToTls implements ITypeConverter<NbdOptions.Tls> {
    @Override
    public NbdOptions.Tls convert(String text) {
      return EnumWord.parse(text, NbdOptions.Tls.values());
    }
  }

  private ParameterException usage(String sentence) {
    return new ParameterException(spec.commandLine(), sentence);
  }
}
