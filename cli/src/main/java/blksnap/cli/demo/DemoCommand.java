package blksnap.cli.demo;

import blksnap.cli.command.ByteSize;
import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.command.Labels;
import blksnap.cli.output.OutputFormat;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Does the main job once, on disks of its own, and proves each promise as it goes. */
@Command(
    name = "demo",
    description = {
      "Show the main job on two disks in a temporary directory, and prove what it promises.",
      "An engine of its own serves the disks over NBD and two writers never stop while snapshots of"
          + " both are taken. Proven in each run: each snapshot is both disks at one moment; the"
          + " change map between two snapshots covers every change; no write is lost. Each step"
          + " prints the command that does it by hand. Ends with 1 when something is not proven.",
      "Everything is removed at the end, also on failure and Ctrl-C. The directory is made in "
          + "TMPDIR, else in /tmp."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap demo",
      "  blksnap demo --size 1G --keep",
      "  blksnap demo --disk /srv/images/vm1.img",
      "  blksnap demo -o json | jq .change_map"
    })
public final class DemoCommand implements Callable<Integer> {
  private static final long DEFAULT_BYTES = 64L << 20;
  private static final long MIN_BYTES = 8L << 20;
  private static final long MAX_BYTES = 64L << 30;

  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Option(
      names = "--disk",
      paramLabel = Labels.FILE,
      description = "Use a copy of this disk image as the first disk; the image is only read.")
  Optional<Path> disk = Optional.empty();

  @Option(names = "--keep", description = "Leave the directory with the disks where it is.")
  boolean keep;

  @Option(
      names = "--size",
      paramLabel = Labels.SIZE,
      converter = ByteSize.Converter.class,
      description = "Size of the first disk, 64M if not given; the second has half of it.")
  Optional<ByteSize> size = Optional.empty();

  public DemoCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    OutputFormat format = context.format();
    var story = new Story(context.out(), context.outPalette(), format == OutputFormat.TABLE);
    JsonObject summary = DemoRun.run(context, story, wishes());
    switch (format) {
      case TABLE -> {} // the story has told it
      case PLAIN -> printPlain("", summary);
      case JSON -> context.out().println(summary);
    }
    return ExitCodes.DONE;
  }

  private DemoWishes wishes() throws IOException {
    if (size.isPresent() && disk.isPresent()) {
      throw usage("--size makes a disk and --disk brings one: use one of them");
    }
    long bytes = size.map(ByteSize::bytes).orElse(DEFAULT_BYTES);
    if (bytes < MIN_BYTES || bytes > MAX_BYTES) {
      throw usage("--size takes 8M to 64G, not " + bytes + " bytes");
    }
    // Both disks are whole blocks.
    long whole = bytes / (2 * Stamp.BYTES) * (2 * Stamp.BYTES);
    Optional<Path> image = disk.map(context.environment()::absolute);
    if (image.isPresent()) {
      requireImage(image.get());
    }
    return new DemoWishes(image, keep, whole);
  }

  /** Tells before anything is made that an image cannot be used. */
  private static void requireImage(Path image) throws IOException {
    if (Files.isDirectory(image)) {
      throw new BlkSnapException(Errno.EISDIR, image + " is a directory, not a disk image");
    }
    if (Files.notExists(image)) {
      throw new NoSuchFileException(image.toString());
    }
    if (!Files.isRegularFile(image)) {
      throw new BlkSnapException(Errno.EINVAL, image + " is not a regular file")
          .withHint("copy the part of it that you want to see into a file");
    }
    try (FileChannel file = FileChannel.open(image, StandardOpenOption.READ)) {
      if (file.size() < Stamp.BYTES) {
        throw new BlkSnapException(
            Errno.EINVAL,
            image
                + " has "
                + file.size()
                + " bytes: there is no block of "
                + Stamp.BYTES
                + " to write to");
      }
    }
  }

  /** One line a value: its path in the JSON object with dots, a tab, the value. */
  private void printPlain(String path, JsonElement value) {
    if (value.isJsonObject()) {
      value
          .getAsJsonObject()
          .entrySet()
          .forEach(entry -> printPlain(path + "." + entry.getKey(), entry.getValue()));
    } else if (value.isJsonArray()) {
      for (int i = 0; i < value.getAsJsonArray().size(); i++) {
        printPlain(path + "." + i, value.getAsJsonArray().get(i));
      }
    } else {
      context.out().println(path.substring(1) + "\t" + value.getAsString());
    }
  }

  private ParameterException usage(String sentence) {
    return new ParameterException(spec.commandLine(), sentence);
  }
}
