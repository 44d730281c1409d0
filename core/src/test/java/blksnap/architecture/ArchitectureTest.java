package blksnap.architecture;

import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackages;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.name;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The arrows between the packages of core, and what no class of it may do. */
class ArchitectureTest {
  /** What every package may use, besides the JDK. */
  private static final List<String> BASE =
      List.of("sector", "error", "log", "param", "buffer", "linux", "flight");

  /** What a package may use beyond {@link #BASE}. A package that is not here has no arrows yet. */
  private static final Map<String, List<String>> ARROWS =
      Map.ofEntries(
          Map.entry("sector", List.of()),
          Map.entry("error", List.of()),
          Map.entry("log", List.of()),
          Map.entry("param", List.of()),
          Map.entry("buffer", List.of()),
          Map.entry("linux", List.of()),
          Map.entry("flight", List.of()),
          Map.entry("state", List.of()),
          Map.entry("device", List.of()),
          Map.entry("eventqueue", List.of()),
          Map.entry("cbt", List.of("state")),
          Map.entry("diffio", List.of("device")),
          Map.entry("diffstorage", List.of("diffio", "eventqueue")),
          Map.entry("diffarea", List.of("device", "diffio", "diffstorage", "eventqueue", "state")),
          Map.entry("tracker", List.of("device", "cbt", "diffarea", "state")),
          Map.entry("snapimage", List.of("device", "diffarea", "cbt")),
          Map.entry(
              "snapshot",
              List.of(
                  "device",
                  "cbt",
                  "tracker",
                  "snapimage",
                  "diffarea",
                  "diffio",
                  "diffstorage",
                  "eventqueue",
                  "state")),
          Map.entry("nbd", List.of("device")),
          Map.entry("nbdclient", List.of()),
          Map.entry("qcow2", List.of()),
          Map.entry("backup", List.of("qcow2", "nbdclient", "nbd", "device", "state")),
          Map.entry("status", List.of()),
          Map.entry("ctrl", List.of("status", "eventqueue")));

  /** The one package that may use all of core. */
  private static final String ENGINE = "engine";

  private static final String GSON = "com.google.gson..";

  private static final String ZSTD = "com.github.luben.zstd..";

  private static final String FLIGHT_RECORDER = "jdk.jfr..";

  private static final JavaClasses CORE =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("blksnap");

  @Test
  void knowsEveryPackage() {
    var packages = new TreeSet<String>();
    CORE.forEach(type -> packages.add(type.getPackageName()));
    var known = new TreeSet<String>(Set.of("blksnap", "blksnap." + ENGINE));
    ARROWS.keySet().forEach(name -> known.add("blksnap." + name));

    assertThat(packages).contains("blksnap.sector", "blksnap.device").isSubsetOf(known);
  }

  @Test
  void letsEachPackageUseOnlyWhatItsArrowsAllow() {
    ARROWS.forEach((from, to) -> {
      var allowed = new ArrayList<String>();
      allowed.add("blksnap." + from);
      BASE.forEach(name -> allowed.add("blksnap." + name));
      to.forEach(name -> allowed.add("blksnap." + name));
      DescribedPredicate<JavaClass> elsewhere =
          resideInAnyPackage("blksnap..")
              .and(resideOutsideOfPackages(allowed.toArray(String[]::new)))
              .as("reside in a package other than %s", allowed);
      noClasses()
          .that()
          .resideInAPackage("blksnap." + from)
          .should()
          .dependOnClassesThat(elsewhere)
          .allowEmptyShould(true)
          .check(CORE);
    });
  }

  @Test
  void hasNoCycleBetweenPackages() {
    slices().matching("blksnap.(*)..").should().beFreeOfCycles().check(CORE);
  }

  @Test
  void usesOnlyTheJdkAnnotationsTheJsonLibraryAndZstd() {
    classes()
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "blksnap..",
            "java..",
            "javax.net.ssl..",
            "javax.security.auth.x500..",
            "jdk.net..",
            FLIGHT_RECORDER,
            "org.jspecify.annotations..",
            "com.google.errorprone.annotations..",
            GSON,
            ZSTD)
        .check(CORE);
    noClasses()
        .that()
        .resideOutsideOfPackages("blksnap.ctrl", "blksnap.state")
        .should()
        .dependOnClassesThat()
        .resideInAPackage(GSON)
        .check(CORE);
    noClasses()
        .that()
        .resideOutsideOfPackage("blksnap.qcow2")
        .should()
        .dependOnClassesThat()
        .resideInAPackage(ZSTD)
        .check(CORE);
    noClasses()
        .that()
        .resideOutsideOfPackage("blksnap.flight")
        .should()
        .dependOnClassesThat()
        .resideInAPackage(FLIGHT_RECORDER)
        .check(CORE);
  }

  @Test
  void makesNoObjectsByWhatJsonSays() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .haveFullyQualifiedName("com.google.gson.Gson")
        .orShould()
        .dependOnClassesThat()
        .haveFullyQualifiedName("com.google.gson.GsonBuilder")
        .orShould()
        .dependOnClassesThat()
        .areAssignableTo(java.io.ObjectInputStream.class)
        .check(CORE);
  }

  @Test
  void writesNothingToTheStandardStreams() {
    noClasses()
        .should()
        .accessField(System.class, "out")
        .orShould()
        .accessField(System.class, "err")
        .orShould()
        .callMethod(Throwable.class, "printStackTrace")
        .check(CORE);
  }

  @Test
  void leavesEndingTheProcessToItsCaller() {
    noClasses()
        .should()
        .callMethod(System.class, "exit", int.class)
        .orShould()
        .callMethodWhere(
            target(owner(JavaClass.Predicates.equivalentTo(Runtime.class)))
                .and(target(name("exit")).or(target(name("halt")))))
        .check(CORE);
  }

  @Test
  void logsToItsOwnRingOnly() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAPackage("java.util.logging..")
        .orShould()
        .dependOnClassesThat()
        .belongToAnyOf(System.Logger.class)
        .check(CORE);
  }

  @Test
  void waitsForConditionsAndNeverSleeps() {
    noClasses()
        .should()
        .callMethodWhere(
            target(owner(JavaClass.Predicates.equivalentTo(Thread.class)))
                .and(target(name("sleep"))))
        .orShould()
        .callMethodWhere(
            target(owner(JavaClass.Predicates.assignableTo(java.util.concurrent.TimeUnit.class)))
                .and(target(name("sleep"))))
        .check(CORE);
  }
}
