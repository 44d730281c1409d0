package blksnap.cli.command;

import blksnap.cli.live.LiveView;
import blksnap.cli.live.TopOrder;
import blksnap.cli.live.TopRow;
import blksnap.cli.live.TopSample;
import blksnap.cli.live.TopText;
import blksnap.cli.output.OutputFormat;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.status.StatusNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Shows what devices and images do, again and again. */
@Command(
    name = "top",
    description = {
      "Show what every device and image does: requests and MiB a second, how long half and 99 of"
          + " 100 requests took at most, blocks copied for images, and the storage of the"
          + " snapshots.",
      "On a terminal the view is redrawn until q is pressed; n, i, r, w, l, c and f sort it by"
          + " name, requests, reads, writes, latency, copied blocks and storage left, and v turns"
          + " the order. Elsewhere it is printed once each interval.",
      "With -o plain: name, requests, bytes read and bytes written a second, both latencies in "
          + "microseconds, blocks copied, bytes of storage left, seconds until it is full."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap top",
      "  blksnap top --sort latency --interval 5",
      "  blksnap top -n 1 -o json"
    })
public final class TopCommand implements Callable<Integer>, LiveView.Content {
  /** On a terminal the first figures come so soon. */
  private static final long FIRST_MILLIS = 500;

  private final CommandContext context;

  @Mixin WatchOptions watch = new WatchOptions();

  @Option(
      names = {"-i", "--interval"},
      paramLabel = Labels.SECONDS,
      converter = WatchOptions.Seconds.class,
      defaultValue = WatchOptions.USUAL_SECONDS,
      description = "Time between two views; 2 seconds if not given.")
  long intervalMillis;

  @Option(
      names = "--sort",
      paramLabel = "COLUMN",
      converter = ToOrder.class,
      completionCandidates = Orders.class,
      description = "What to sort by: ${COMPLETION-CANDIDATES}.")
  TopOrder order = TopOrder.NAME;

  private boolean turned;
  private TopSample before = new TopSample(0, Collections.emptyMap());
  private TopSample now = before;

  public TopCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    now = sample();
    TimeUnit.MILLISECONDS.sleep(
        context.isScreen() ? Math.min(FIRST_MILLIS, intervalMillis) : intervalMillis);
    return context.show(new LiveView(this, intervalMillis, watch.count()));
  }

  private TopSample sample() throws IOException, InterruptedException {
    return TopSample.of(System.nanoTime(), node("/sys/block"), node("/sys/fs/blksnap"));
  }

  private StatusNode node(String path) throws IOException, InterruptedException {
    return context.ask(new CtrlRequest.Status(path), CtrlReply.Tree.class).node();
  }

  @Override
  public void refresh() throws IOException, InterruptedException {
    before = now;
    now = sample();
  }

  private List<TopRow> rows() {
    List<TopRow> rows = new ArrayList<>(TopRow.between(before, now));
    rows.sort(turned ? order.comparator().reversed() : order.comparator());
    return rows;
  }

  @Override
  public List<String> screen(int columns) {
    List<TopRow> rows = rows();
    long images = rows.stream().filter(TopRow::image).count();
    var lines = new ArrayList<String>();
    lines.add(
        "blksnap top: "
            + (rows.size() - images)
            + " devices, "
            + images
            + " images; every "
            + WatchOptions.Seconds.text(intervalMillis)
            + " s, by "
            + order.word()
            + (turned ? " from below" : ""));
    lines.add("q leaves, n i r w l c f sort, v turns the order");
    lines.add("");
    lines.addAll(TopText.table(rows, context.outPalette()));
    return lines;
  }

  @Override
  public void print() {
    OutputFormat format = context.format();
    switch (format) {
      case TABLE -> TopText.table(rows(), context.outPalette()).forEach(context.out()::println);
      case PLAIN -> TopText.plain(rows(), context.out());
      case JSON -> context.out().println(TopText.json(rows()));
    }
  }

  @Override
  public void key(int key) {
    if (key == 'v') {
      turned = !turned;
    }
    for (TopOrder choice : TopOrder.values()) {
      if (choice.key() == key) {
        order = choice;
        turned = false;
      }
    }
  }

  /** The words of the orders. */
  static final class Orders extends ArrayList<String> {
    private static final long serialVersionUID = 1;

    Orders() {
      super(Arrays.stream(TopOrder.values()).map(TopOrder::word).toList());
    }
  }

  /** Finds an order by its word. */
  static final class ToOrder implements ITypeConverter<TopOrder> {
    @Override
    public TopOrder convert(String word) {
      return Arrays.stream(TopOrder.values())
          .filter(order -> order.word().equals(word))
          .findFirst()
          .orElseThrow(
              () -> new TypeConversionException("'" + word + "' is not one of " + new Orders()));
    }
  }
}
