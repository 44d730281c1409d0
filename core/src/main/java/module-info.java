/**
 * The engine of blksnap: what {@code blksnap.cli} may use of it is exported here, and nothing else.
 */
module blksnap.core {
  requires static transitive org.jspecify;
  requires static com.google.errorprone.annotations;
  requires com.google.gson;
  requires static com.github.luben.zstd_jni; // for backups that are compressed so
  requires jdk.jfr; // what blksnap.flight tells of
  requires jdk.net;

  exports blksnap.backup;
  exports blksnap.ctrl;
  exports blksnap.engine;
  exports blksnap.error;
  exports blksnap.eventqueue;
  exports blksnap.linux;
  exports blksnap.log;
  exports blksnap.nbdclient;
  exports blksnap.param;
  exports blksnap.qcow2;
  exports blksnap.sector;
  exports blksnap.status;
}
