package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class NbdTurnTest {
  private final NbdTurn turn = new NbdTurn();

  @Test
  void staysWithARequestThatIsDoneWithinAnInterval() {
    turn.take();
    int first = turn.keep();
    assertThat(turn.watch()).isEqualTo(NbdTurn.Watch.KEPT);
    assertThat(turn.retain(first)).isTrue();
    int second = turn.keep();
    assertThat(turn.watch()).isEqualTo(NbdTurn.Watch.KEPT);
    assertThat(turn.retain(second)).isTrue();
    assertThat(turn.watch()).isEqualTo(NbdTurn.Watch.FREE);
  }

  @Test
  void isTakenFromARequestThatWasSeenTwice() {
    turn.take();
    int number = turn.keep();
    assertThat(turn.watch()).isEqualTo(NbdTurn.Watch.KEPT);
    assertThat(turn.watch()).isEqualTo(NbdTurn.Watch.TAKEN_AWAY);
    assertThat(turn.retain(number)).isFalse();
    turn.give();
    turn.take(); // would wait for ever if it had not been given
    assertThat(turn.isKept()).isFalse();
  }

  @Test
  void slowRequestsPassTheTurnOnAndOneThatWasHeldUpDoesNotDecide() {
    var pace = new NbdPace();
    assertThat(pace.fast(false)).isTrue();
    pace.add(1_000_000_000);
    assertThat(pace.fast(false)).isTrue();
    for (int i = 0; i < 20; i++) {
      pace.add(50_000);
    }
    assertThat(pace.fast(false)).isFalse();
    for (int i = 0; i < 80; i++) {
      pace.add(2_000);
    }
    assertThat(pace.fast(false)).isTrue();
    assertThat(pace.fast(true)).isTrue();
  }

  @Test
  void requestsThatComeInARowPassTheTurnOnSooner() {
    var pace = new NbdPace();
    for (int i = 0; i < 80; i++) {
      pace.add(10_000);
    }
    assertThat(pace.fast(false)).isTrue();
    assertThat(pace.fast(true)).isFalse();
  }
}
