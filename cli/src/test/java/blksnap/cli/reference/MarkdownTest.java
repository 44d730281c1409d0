package blksnap.cli.reference;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class MarkdownTest {
  @Test
  void makesSectionsParagraphsAndLists() {
    assertThat(
            Markdown.body(
                """
                # A title

                First,
                and on.

                Second.

                ## 1. What is it

                * one
                  goes on
                * two

                ### `cat`

                Text.
                """))
        .isEqualTo(
            """
            .SH DESCRIPTION
            First, and on.
            .PP
            Second.
            .SH 1. WHAT IS IT
            .IP \\(bu 2
            one goes on
            .IP \\(bu 2
            two
            .SS \\fBcat\\fR
            Text.
            """);
  }

  @Test
  void marksCodeBoldItalicsAndLinks() {
    assertThat(Markdown.body("A `b-c's` **d** *e* [f](g.md) h*i."))
        .isEqualTo(".PP\nA \\fBb\\-c\\(aqs\\fR \\fBd\\fR \\fIe\\fR f h*i.\n");
  }

  @Test
  void makesATagOfTheFirstCellOfARow() {
    assertThat(
            Markdown.body(
                """
                | name | value | |
                |---|---|---|
                | `a` | b \\| c | d |
                | e | | |
                """))
        .isEqualTo(
            """
            .PP
            \\fIname\\fR; \\fIvalue\\fR:
            .TP
            \\fBa\\fR
            b | c; d
            .TP
            e
            \\&
            """);
  }

  @Test
  void keepsCodeLineByLineHoweverLong() {
    assertThat(Markdown.body("```\n.x 'y'\\n\n" + "z".repeat(100) + "\n```"))
        .isEqualTo(
            ".PP\n.nf\n\\&.x \\(aqy\\(aq\\en\n"
                + "z".repeat(77)
                + "\\\n"
                + "z".repeat(23)
                + "\n.fi\n");
  }

  @Test
  void breaksFilledTextAtBlanksAndMakesNoRequestOfIt() {
    String word = "w".repeat(70);
    assertThat(Markdown.body(word + " tenletters .SH 'tis"))
        .isEqualTo(".PP\n" + word + "\ntenletters .SH 'tis\n");
    assertThat(Markdown.body(word + " longer-word .SH")).contains("\nlonger\\-word .SH");
    assertThat(Markdown.body(word + "12345678 .SH")).endsWith("\n\\&.SH\n");
  }
}
