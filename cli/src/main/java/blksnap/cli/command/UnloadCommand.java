package blksnap.cli.command;

import blksnap.cli.live.Waiting;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Ends the engine and waits until its process is gone. */
@Command(
    name = "unload",
    description = {
      "End the engine. Refused with EBUSY while a client uses a device or a snapshot is held.",
      "Returns when the engine's process is gone."
    },
    footer = {"", "Examples:", "  blksnap unload", "  blksnap unload --force"})
public final class UnloadCommand implements Callable<Integer> {
  /** An engine that drains its I/O longer than this is reported, and goes on ending. */
  private static final long EXIT_TIMEOUT_SECONDS = 120;

  private final CommandContext context;

  @Option(
      names = {"-f", "--force"},
      description = "Release snapshots and disconnect clients first.")
  boolean force;

  public UnloadCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    long pid = context.ask(new CtrlRequest.ModInfo(), CtrlReply.ModuleInfo.class).pid();
    // Found before it is told to go, so that the number cannot belong to another process by then.
    Optional<ProcessHandle> daemon =
        ProcessHandle.of(pid).filter(handle -> !handle.equals(ProcessHandle.current()));
    CtrlReply.Done done;
    try (Waiting _ = context.waiting("unloading")) {
      done = context.ask(new CtrlRequest.Unload(force), CtrlReply.Done.class);
      context.close();
      if (daemon.isPresent()) {
        await(daemon.get());
      }
    }
    context.printer().print(done);
    return ExitCodes.DONE;
  }

  private static void await(ProcessHandle daemon) throws BlkSnapException, InterruptedException {
    try {
      var _ = daemon.onExit().get(EXIT_TIMEOUT_SECONDS, TimeUnit.SECONDS);
    } catch (TimeoutException e) {
      throw new BlkSnapException(
          Errno.ETIMEDOUT,
          "the engine agreed to go, but process "
              + daemon.pid()
              + " is still there after "
              + EXIT_TIMEOUT_SECONDS
              + " seconds",
          e);
    } catch (ExecutionException e) {
      throw new BlkSnapException(Errno.EIO, "waiting for process " + daemon.pid() + " failed", e);
    }
  }
}
