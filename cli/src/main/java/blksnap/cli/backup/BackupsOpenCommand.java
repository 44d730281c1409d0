package blksnap.cli.backup;

import blksnap.backup.PointExport;
import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.command.Labels;
import blksnap.cli.output.OutputFormat;
import blksnap.log.LogRing;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Serves a point over NBD until it is interrupted. */
@Command(
    name = "open",
    description = {
      "Serve a point as a read-only NBD export, until it is interrupted.",
      "Every block is checked against its hash; what is damaged reads as EIO."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap backups open /backup/vm1 --socket /run/vm1.sock",
      "  blksnap backups open /backup/vm1/20261122T171115Z --socket /run/vm1.sock -o plain"
    })
public final class BackupsOpenCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(
      paramLabel = "POINT",
      description =
          "DIR/DEVICE/POINT, or DIR/DEVICE for the latest; DIR may be s3://BUCKET/PREFIX.")
  String point = "";

  @Option(
      names = "--socket",
      required = true,
      paramLabel = Labels.PATH,
      description = "Unix socket that is made for it.")
  Path socket = Path.of("");

  public BackupsOpenCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    Path place = context.environment().absolute(socket);
    try (Stores.Chosen chosen = Stores.choose(point, context);
        Cancellation cancellation = Cancellation.onSignal();
        PointExport _ = PointExport.open(chosen.points(), chosen.point(), place, new LogRing())) {
      String name = PointExport.exportName(chosen.point());
      String uri =
          "nbd+unix:///"
              + name
              + "?socket="
              + URLEncoder.encode(place.toString(), StandardCharsets.UTF_8)
                  .replace("+", "%20")
                  .replace("%2F", "/");
      if (context.format() == OutputFormat.JSON) {
        var object = new JsonObject();
        object.addProperty("export", name);
        object.addProperty("uri", uri);
        context.out().println(object);
      } else {
        context.out().println(uri);
      }
      context.out().flush();
      cancellation.await();
    }
    return ExitCodes.DONE;
  }
}
