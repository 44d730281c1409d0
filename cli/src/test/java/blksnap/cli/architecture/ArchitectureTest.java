package blksnap.cli.architecture;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackages;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.ctrl.CtrlRequest;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * What the command line may use of core: it runs on the class path, where Java itself would not
 * object.
 */
class ArchitectureTest {
  private static final JavaClasses CLI =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("blksnap.cli");

  @Test
  void usesOfCoreOnlyWhatItsModuleExports() throws URISyntaxException {
    List<String> exported = exportedByCore();
    assertThat(exported).contains("blksnap.ctrl", "blksnap.error").doesNotContain("blksnap.cli");

    noClasses()
        .should()
        .dependOnClassesThat(
            resideInAPackage("blksnap..")
                .and(
                    resideOutsideOfPackages(
                        Stream.concat(exported.stream(), Stream.of("blksnap.cli.."))
                            .toArray(String[]::new)))
                .as("are not exported by the module blksnap.core"))
        .check(CLI);
  }

  @Test
  void leavesTheEngineToTheDaemonPackage() {
    noClasses()
        .that(resideOutsideOfPackages("blksnap.cli.daemon.."))
        .should()
        .dependOnClassesThat(resideInAnyPackage("blksnap.engine.."))
        .check(CLI);
  }

  /** The commands of upstream look up where files lie, and preallocate some. */
  @Test
  void leavesTheSystemsCallsToTheDaemonAndUpstreamPackages() {
    noClasses()
        .that(resideOutsideOfPackages("blksnap.cli.daemon..", "blksnap.cli.upstream.."))
        .should()
        .dependOnClassesThat(resideInAnyPackage("blksnap.linux.."))
        .check(CLI);
  }

  /** It is used while the rest is being compiled. */
  @Test
  void writesModelsWithoutTheRest() {
    noClasses()
        .that(resideInAnyPackage("blksnap.cli.model.."))
        .should()
        .dependOnClassesThat(
            resideInAPackage("blksnap..")
                .and(resideOutsideOfPackages("blksnap.cli.model.."))
                .as("are not of the package"))
        .check(CLI);
  }

  /** Its libraries are not on the class path of other commands. */
  @Test
  void leavesTheClientOfS3ToItsPackage() {
    noClasses()
        .that(resideOutsideOfPackages("blksnap.cli.s3.."))
        .should()
        .dependOnClassesThat(resideInAnyPackage("software.amazon..", "org.slf4j.."))
        .check(CLI);
  }

  @Test
  void logsNowhereButInTheEngine() {
    noClasses().should().dependOnClassesThat(resideInAnyPackage("java.util.logging..")).check(CLI);
  }

  private static List<String> exportedByCore() throws URISyntaxException {
    Path core =
        Path.of(CtrlRequest.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    return ModuleFinder.of(core).find("blksnap.core").orElseThrow().descriptor().exports().stream()
        .map(ModuleDescriptor.Exports::source)
        .toList();
  }
}
