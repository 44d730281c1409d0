package blksnap.cli.demo;

import java.nio.file.Path;
import java.util.Optional;

/**
 * What the user wants of a run.
 *
 * @param image whose copy is to be the first disk; absolute, judged already
 * @param keep whether the run's directory stays
 * @param sizeBytes of the first disk, if it is made; the second has half of it
 */
record DemoWishes(Optional<Path> image, boolean keep, long sizeBytes) {}
