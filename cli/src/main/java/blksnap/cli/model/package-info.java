/**
 * What picocli knows of a command, without looking at its annotations when it starts: Java makes a
 * class for each kind of annotation that is looked at, which costs a short command half its time.
 * {@link blksnap.cli.model.ModelWriter} runs in the build, reads the annotations and writes for
 * each package a class {@code CommandModels} that says the same in code; {@link
 * blksnap.cli.model.Models} uses these, and picocli's own reading where there is none.
 *
 * <p>Annotated fields are not private, since the written classes set them. Uses picocli alone, and
 * none of the packages beside it.
 */
@NullMarked
package blksnap.cli.model;

import org.jspecify.annotations.NullMarked;
