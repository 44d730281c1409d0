package blksnap.cli.backup;

import blksnap.backup.BackupOptions;
import blksnap.cli.command.ByteSize;
import blksnap.cli.command.Labels;
import blksnap.cli.live.Progress;
import java.util.LinkedHashMap;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SequencedMap;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** How much of the machine a command on backups may take. */
final class LoadOptions {
  @Option(
      names = "--jobs",
      paramLabel = Labels.COUNT,
      description =
          "Threads that read, compress and write, 1 to 64. Default: a processor each, 4 at most.")
  Optional<Integer> jobs = Optional.empty();

  @Option(
      names = "--limit-rate",
      paramLabel = Labels.SIZE,
      converter = ByteSize.Converter.class,
      description =
          "Most that is read, or uploaded, in a second; a number with K, M, G, T or s (sectors).")
  Optional<ByteSize> limitRate = Optional.empty();

  /** Judged before anything is done. */
  BackupOptions.Load load(CommandSpec spec, Progress progress, BooleanSupplier cancelled) {
    int threads = jobs.orElse(BackupOptions.Load.DEFAULT.jobs());
    if (threads < 1 || threads > BackupOptions.Load.MAX_JOBS) {
      throw new ParameterException(
          spec.commandLine(),
          "--jobs takes 1 to " + BackupOptions.Load.MAX_JOBS + ", not " + threads);
    }
    if (limitRate.isPresent() && limitRate.get().bytes() == 0) {
      throw new ParameterException(spec.commandLine(), "--limit-rate of 0 would never end");
    }
    return new BackupOptions.Load(
        threads,
        limitRate.map(rate -> OptionalLong.of(rate.bytes())).orElse(OptionalLong.empty()),
        at -> tell(progress, at),
        cancelled);
  }

  private static void tell(Progress progress, BackupOptions.Position at) {
    SequencedMap<String, Long> amounts = new LinkedHashMap<>();
    at.amounts().forEach(amount -> amounts.put(amount.word(), amount.bytes()));
    progress.tell(at.stage() + ", bytes", at.done(), at.total(), amounts);
  }
}
