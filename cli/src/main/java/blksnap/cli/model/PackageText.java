package blksnap.cli.model;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The source text of one package's models. */
final class PackageText {
  private static final Set<String> OF_COMMAND =
      Set.of(
          "name",
          "aliases",
          "description",
          "footer",
          "hidden",
          "versionProvider",
          "synopsisSubcommandLabel");
  private static final Set<String> OF_OPTION =
      Set.of(
          "names",
          "description",
          "paramLabel",
          "arity",
          "required",
          "hidden",
          "converter",
          "completionCandidates",
          "defaultValue",
          "fallbackValue",
          "preprocessor",
          "scope",
          "usageHelp");
  private static final Set<String> OF_PARAMETERS =
      Set.of(
          "index",
          "description",
          "paramLabel",
          "arity",
          "hidden",
          "hideParamSyntax",
          "converter",
          "completionCandidates",
          "defaultValue");

  /** What picocli takes for no default value. */
  private static final String NO_DEFAULT = "__no_default_value__";

  private final String packageName;
  private final List<Class<?>> owners;
  private final StringBuilder makers = new StringBuilder();
  private final StringBuilder getters = new StringBuilder();
  private final StringBuilder setters = new StringBuilder();
  private int fields;

  PackageText(String packageName, List<Class<?>> owners) {
    this.packageName = packageName;
    this.owners = owners;
  }

  String text() {
    var choices = new StringBuilder();
    for (int i = 0; i < owners.size(); i++) {
      Class<?> owner = owners.get(i);
      String name = name(owner);
      choices.append("    if (command instanceof %s it) { return m%d(it); }%n".formatted(name, i));
      makers.append("  private CommandSpec m%d(%s it) {%n".formatted(i, name));
      makers.append("    CommandSpec spec = CommandSpec.wrapWithoutInspection(it);\n");
      command(owner);
      for (Field field : owner.getDeclaredFields()) {
        field(owner, field);
      }
      makers.append("    return spec;\n  }\n");
    }
    return """
    package %s;
    import blksnap.cli.model.*;
    import picocli.CommandLine.Model.*;
    @SuppressWarnings("unchecked")
    public final class CommandModels implements ModelSource {
      @Override public CommandSpec of(Object command) {
    %s    throw new IllegalArgumentException("no model of " + command);
      }
    %s  @Override public Object get(int field, Object owner) {
        switch (field) {
    %s      default: throw new IllegalArgumentException("no field " + field);
        }
      }
      @Override public void set(int field, Object owner, Object value) {
        switch (field) {
    %s      default: throw new IllegalArgumentException("no field " + field);
        }
      }
    }
    """
        .formatted(packageName, choices, makers, getters, setters);
  }

  private void command(Class<?> owner) {
    Command command = owner.getAnnotation(Command.class);
    if (command == null) {
      return; // a mixin
    }
    ModelWriter.requireKnown(command, owner, OF_COMMAND);
    makers.append("    spec.name(%s);%n".formatted(quoted(command.name())));
    if (command.aliases().length > 0) {
      makers.append("    spec.aliases(%s);%n".formatted(quoted(command.aliases())));
    }
    makers.append(
        "    spec.usageMessage().description(%s).footer(%s).hidden(%s);%n"
            .formatted(array(command.description()), array(command.footer()), command.hidden()));
    if (!command.synopsisSubcommandLabel().isEmpty()) {
      makers.append(
          "    spec.usageMessage().synopsisSubcommandLabel(%s);%n"
              .formatted(quoted(command.synopsisSubcommandLabel())));
    }
    made(command.versionProvider())
        .ifPresent(made -> makers.append("    spec.versionProvider(%s);%n".formatted(made)));
  }

  private void field(Class<?> owner, Field field) {
    String place = "it." + field.getName();
    Option option = field.getAnnotation(Option.class);
    Parameters parameters = field.getAnnotation(Parameters.class);
    Mixin mixin = field.getAnnotation(Mixin.class);
    if (option != null) {
      ModelWriter.requireKnown(option, field, OF_OPTION);
      option(owner, field, option);
    } else if (parameters != null) {
      ModelWriter.requireKnown(parameters, field, OF_PARAMETERS);
      parameters(owner, field, parameters);
    } else if (mixin != null) {
      ModelWriter.requireKnown(mixin, field, Set.of());
      makers.append(
          "    spec.addMixin(%s, Models.of(%s));%n".formatted(quoted(field.getName()), place));
    } else if (field.isAnnotationPresent(Spec.class)) {
      ModelWriter.requireKnown(field.getAnnotation(Spec.class), field, Set.of());
      makers.append("    %s = spec;%n".formatted(place));
    }
  }

  private void option(Class<?> owner, Field field, Option option) {
    begin("addOption", "OptionSpec.builder(" + quoted(option.names()) + ")", owner, field);
    String label = option.paramLabel();
    common(
        option.description(),
        label.isEmpty() ? "<" + field.getName() + ">" : label, // as picocli does it
        option.arity(),
        option.defaultValue());
    classes("converters", option.converter());
    made(option.completionCandidates()).ifPresent(made -> call("completionCandidates", made));
    made(option.preprocessor()).ifPresent(made -> call("preprocessor", made));
    flag("required", option.required());
    flag("hidden", option.hidden());
    flag("usageHelp", option.usageHelp());
    if (!option.fallbackValue().isEmpty()) {
      call("fallbackValue", quoted(option.fallbackValue()));
    }
    if (option.scope() == ScopeType.INHERIT) {
      call("scopeType", "picocli.CommandLine.ScopeType.INHERIT");
    }
    makers.append(".build());\n");
  }

  private void parameters(Class<?> owner, Field field, Parameters parameters) {
    begin("addPositional", "PositionalParamSpec.builder()", owner, field);
    common(
        parameters.description(),
        parameters.paramLabel(),
        parameters.arity(),
        parameters.defaultValue());
    if (!parameters.index().isEmpty()) {
      call("index", quoted(parameters.index()));
    }
    classes("converters", parameters.converter());
    made(parameters.completionCandidates()).ifPresent(made -> call("completionCandidates", made));
    flag("hidden", parameters.hidden());
    flag("hideParamSyntax", parameters.hideParamSyntax());
    flag("required", isRequired(field, parameters.arity()));
    makers.append(".build());\n");
  }

  private void begin(String adder, String builder, Class<?> owner, Field field) {
    if (Modifier.isPrivate(field.getModifiers()) || Modifier.isFinal(field.getModifiers())) {
      throw new IllegalStateException(field + " is annotated, so it must not be private or final");
    }
    int number = fields++;
    String place = "((%s) owner).%s".formatted(name(owner), field.getName());
    getters.append("      case %d: return %s;%n".formatted(number, place));
    setters.append(
        "      case %d: %s = (%s) value; return;%n"
            .formatted(number, place, boxed(field.getGenericType())));
    makers.append("    spec.%s(%s".formatted(adder, builder));
    call("type", field.getType().getCanonicalName() + ".class");
    if (field.getGenericType() instanceof ParameterizedType generic) {
      call(
          "auxiliaryTypes",
          Arrays.stream(generic.getActualTypeArguments())
              .map(argument -> argument.getTypeName().replace('$', '.') + ".class")
              .collect(Collectors.joining(", ")));
    }
    String value = "new Field(this, %d, it)".formatted(number);
    call("initialValue", "it." + field.getName());
    call("getter", value);
    call("setter", value);
  }

  private void common(String[] description, String label, String arity, String defaultValue) {
    call("description", array(description));
    call("paramLabel", quoted(label));
    if (!arity.isEmpty()) {
      call("arity", quoted(arity));
    }
    if (!defaultValue.equals(NO_DEFAULT)) {
      call("defaultValue", quoted(defaultValue));
    }
  }

  private void classes(String method, Class<?>[] types) {
    if (types.length > 0) {
      call(
          method,
          Arrays.stream(types)
              .map(type -> made(type).orElseThrow())
              .collect(Collectors.joining(", ")));
    }
  }

  /** As picocli does it: one that may come often may also not come. */
  private static boolean isRequired(Field field, String arity) {
    return arity.isEmpty()
        ? !field.getType().equals(List.class)
        : CommandLine.Range.valueOf(arity).min() > 0;
  }

  private void flag(String method, boolean set) {
    if (set) {
      call(method, "true");
    }
  }

  private void call(String method, String arguments) {
    makers.append('.').append(method).append('(').append(arguments).append(')');
  }

  /** An expression for a new object; empty for the stand-ins of picocli's that mean none. */
  private static Optional<String> made(Class<?> type) {
    return type.getName().startsWith("picocli.")
        ? Optional.empty()
        : Optional.of("new " + name(type) + "()");
  }

  private static String name(Class<?> type) {
    if (Modifier.isPrivate(type.getModifiers())) {
      throw new IllegalStateException(type + " is private, and its model could not name it");
    }
    return type.getCanonicalName();
  }

  private static String boxed(Type type) {
    return type == boolean.class
        ? "Boolean"
        : type == long.class
            ? "Long"
            : type == int.class ? "Integer" : type.getTypeName().replace('$', '.');
  }

  private static String array(String... texts) {
    return "new String[] {" + quoted(texts) + "}";
  }

  private static String quoted(String... texts) {
    var quoted = new ArrayList<String>();
    for (String text : texts) {
      quoted.add('"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"');
    }
    return String.join(", ", quoted);
  }
}
