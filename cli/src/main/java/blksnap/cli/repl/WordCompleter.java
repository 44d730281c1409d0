package blksnap.cli.repl;

import blksnap.cli.command.Labels;
import blksnap.cli.command.TreePath;
import blksnap.cli.output.HumanSize;
import blksnap.cli.output.Printable;
import blksnap.param.Parameter;
import blksnap.status.StatusNode;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/**
 * Finds what a word of a line may become: from the model of the commands, and live values for
 * devices and the like.
 */
final class WordCompleter {
  /** Files offered at once; a larger directory needs more typing. */
  private static final int MAX_FILES = 1000;

  /** Characters of a value of the status tree that are shown beside its name. */
  private static final int MAX_SHOWN_VALUE = 40;

  /**
   * @param text replaces the word
   * @param shown what a list of them shows
   * @param finished whether the next word may begin behind it
   * @param description what it means, for people; may be empty
   */
  record Word(String text, String shown, boolean finished, String description) {
    static Word of(String text) {
      return of(text, "");
    }

    static Word of(String text, String description) {
      return new Word(text, text, true, description);
    }
  }

  private final Supplier<CommandSpec> root;
  private final LiveValues live;
  private final Supplier<TreePath> place;

  /**
   * @param root the commands, asked for with the first word
   * @param place where the user stands in the status tree
   */
  WordCompleter(Supplier<CommandSpec> root, LiveValues live, Supplier<TreePath> place) {
    this.root = root;
    this.live = live;
    this.place = place;
  }

  /**
   * @param before the words before the one that is being typed
   * @param typed the start of it
   */
  List<Word> complete(List<String> before, String typed) {
    CommandSpec spec = root.get();
    int positionals = 0;
    Optional<OptionSpec> open = Optional.empty(); // its value is the next word
    for (String word : before) {
      CommandLine subcommand = spec.subcommands().get(word);
      if (open.isPresent()) {
        open = Optional.empty();
      } else if (word.startsWith("-")) {
        open = Optional.ofNullable(spec.findOption(word)).filter(o -> o.arity().max() > 0);
      } else if (subcommand != null) {
        spec = subcommand.getCommandSpec();
      } else {
        positionals++;
      }
    }
    return open.isPresent() ? values(open.get(), typed) : words(spec, positionals, typed);
  }

  private List<Word> words(CommandSpec spec, int positionals, String typed) {
    int equals = typed.indexOf('=');
    if (typed.startsWith("--") && equals > 0) {
      String name = typed.substring(0, equals);
      return Optional.ofNullable(spec.findOption(name)).stream()
          .flatMap(option -> values(option, typed.substring(equals + 1)).stream())
          .map(word ->
              new Word(name + "=" + word.text(), word.shown(), word.finished(), word.description()))
          .toList();
    }
    if (typed.startsWith("-")) {
      return matching(
          typed,
          spec.options().stream()
              .filter(option -> !option.hidden())
              .flatMap(option ->
                  Arrays.stream(option.names()).map(name -> Word.of(name, purpose(option)))));
    }
    Stream<Word> names =
        spec.subcommands().entrySet().stream()
            .filter(entry -> !entry.getValue().getCommandSpec().usageMessage().hidden())
            .map(entry -> Word.of(entry.getKey(), description(entry.getValue())));
    var found = new ArrayList<>(matching(typed, names));
    for (PositionalParamSpec position : spec.positionalParameters()) {
      if (position.index().contains(positionals)) {
        found.addAll(values(position, typed));
      }
    }
    return found;
  }

  private static String description(CommandLine command) {
    return first(command.getCommandSpec().usageMessage().description());
  }

  /** What an option is for, without the words that it takes: those are offered behind it. */
  private static String purpose(OptionSpec option) {
    String purpose = first(option.description());
    String words =
        option.completionCandidates() == null
            ? ""
            : ": " + String.join(", ", option.completionCandidates());
    return words.isEmpty() || !purpose.contains(words)
        ? purpose
        : purpose.substring(0, purpose.indexOf(words));
  }

  /** The first sentence, without what picocli would fill in and without its end. */
  private static String first(String[] lines) {
    if (lines.length == 0 || lines[0].contains("$")) {
      return "";
    }
    String line = lines[0].replace("%n", " ").replace("%%", "%");
    int end = line.indexOf(". ");
    String sentence = end < 0 ? line : line.substring(0, end);
    return sentence.endsWith(".") ? sentence.substring(0, sentence.length() - 1) : sentence;
  }

  private List<Word> values(ArgSpec arg, String typed) {
    if (arg.completionCandidates() != null) {
      var candidates = new ArrayList<String>();
      arg.completionCandidates().forEach(candidates::add);
      if (!candidates.isEmpty()) {
        return matching(
            typed, candidates.stream().map(word -> Word.of(word, Meanings.of(arg, word))));
      }
    }
    return switch (arg.paramLabel()) {
      case Labels.DEVICE -> matching(typed, words(live.devices()));
      case Labels.SNAPSHOT -> matching(typed, words(live.snapshots()));
      case Labels.PARAMETER -> matching(typed, parameters());
      case Labels.ASSIGNMENT -> assignments(typed);
      case Labels.NODE -> nodes(typed);
      case Labels.PATH, Labels.FILE, Labels.DIRECTORY -> files(typed);
      default -> List.of();
    };
  }

  private static Stream<Word> words(List<LiveValues.Value> values) {
    return values.stream().map(value -> Word.of(value.name(), value.description()));
  }

  private static Stream<Word> parameters() {
    return Arrays.stream(Parameter.values())
        .map(parameter -> Word.of(parameter.key(), parameter.description()));
  }

  private static List<Word> assignments(String typed) {
    return parameters()
        .map(word -> new Word(word.text() + "=", word.text() + "=", false, word.description()))
        .filter(word -> word.text().startsWith(typed))
        .toList();
  }

  private List<Word> nodes(String typed) {
    String parent = typed.substring(0, typed.lastIndexOf('/') + 1);
    String directory = place.get().resolve(parent.isEmpty() ? "." : parent).text();
    var found = new ArrayList<Word>();
    for (StatusNode entry : live.entries(directory)) {
      boolean inner = entry instanceof StatusNode.Directory;
      String shown = entry.name() + (inner ? "/" : "");
      if ((parent + shown).startsWith(typed)) {
        String value =
            entry instanceof StatusNode.Attribute attribute ? Printable.of(attribute.value()) : "";
        found.add(new Word(parent + shown, shown, !inner, shortened(value)));
      }
    }
    return found;
  }

  private static String shortened(String value) {
    return value.length() <= MAX_SHOWN_VALUE ? value : value.substring(0, MAX_SHOWN_VALUE) + "...";
  }

  private static List<Word> files(String typed) {
    String parent = typed.substring(0, typed.lastIndexOf('/') + 1);
    String start = typed.substring(parent.length());
    var found = new ArrayList<Word>();
    try (DirectoryStream<Path> files =
        Files.newDirectoryStream(Path.of(parent.isEmpty() ? "." : parent))) {
      for (Path file : files) {
        String name = String.valueOf(file.getFileName());
        boolean wanted = name.startsWith(start) && (!name.startsWith(".") || start.startsWith("."));
        if (wanted && found.size() < MAX_FILES) {
          boolean inner = Files.isDirectory(file);
          String shown = name + (inner ? "/" : "");
          found.add(new Word(parent + shown, shown, !inner, kind(file)));
        }
      }
    } catch (IOException | InvalidPathException e) {
      return List.of(); // what cannot be read cannot be completed
    }
    return found;
  }

  /** The size of a file, or that it is a device or the like. */
  private static String kind(Path file) {
    try {
      BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
      if (attributes.isOther()) {
        return "device, socket or pipe";
      }
      return attributes.isRegularFile() ? HumanSize.of(attributes.size()) : "";
    } catch (IOException _) {
      return ""; // a link to nothing, or gone meanwhile
    }
  }

  private static List<Word> matching(String typed, Stream<Word> words) {
    return words.filter(word -> word.text().startsWith(typed)).toList();
  }
}
