// One column of a CSV file: separators, names, what is not there, and what is refused.
#include "core/series/csv_column.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "kernels/check.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsNan;

class CsvColumns : public testing::Test {
 protected:
  CsvColumn read(const std::string& text, const std::string& column = {}) {
    put_file(folder_.path() / "data.csv", text);
    return read_csv_column(folder_.path() / "data.csv", column);
  }
  std::string complaint(const std::string& text, const std::string& column = {}) {
    try {
      read(text, column);
    } catch (const Error& e) {
      return e.what();
    }
    return {};
  }

  TemporaryFolder folder_;
};

TEST_F(CsvColumns, AreFoundByNameAndByNumber) {
  const std::string text = "day,\"sold, in kg\",price\n1,2.5,10\n2,-3e2,11\n3,+4,12\n";
  EXPECT_THAT(read(text, "price").numbers, ElementsAre(10, 11, 12));
  EXPECT_EQ(read(text, "price").name, "price");
  EXPECT_THAT(read(text, "sold, in kg").numbers, ElementsAre(2.5, -300, 4));
  EXPECT_THAT(read(text, "2").numbers, ElementsAre(2.5, -300, 4));
  EXPECT_THAT(complaint(text, "4"), AllOf(HasSubstr("no column '4'"), HasSubstr("'day', 'sold")));
  EXPECT_THAT(complaint(text, "0"), HasSubstr("no column '0'"));
  EXPECT_THAT(complaint(text, "days"), HasSubstr("no column 'days'"));
  EXPECT_THAT(complaint(text), AllOf(HasSubstr("3 columns"), HasSubstr("--column")));
  // A name that is a number goes before the number.
  EXPECT_THAT(read("2,a\n7,8\n", "2").numbers, ElementsAre(7));
}

TEST_F(CsvColumns, TheFirstLineMayHoldNumbersAlready) {
  EXPECT_THAT(read("1,2\n3,4\n", "2").numbers, ElementsAre(2, 4));
  EXPECT_EQ(read("1,2\n3,4\n", "2").name, "");
  EXPECT_THAT(read("5\n6\n7").numbers, ElementsAre(5, 6, 7));
}

TEST_F(CsvColumns, LieBetweenSemicolonsAndTabsToo) {
  EXPECT_THAT(read("t;wert\n1;3,25\n2;-0,5\n", "wert").numbers, ElementsAre(3.25, -0.5));
  EXPECT_THAT(read("t\twert\n1\t3.25\n2\t7\n", "wert").numbers, ElementsAre(3.25, 7));
  EXPECT_THAT(complaint("t\twert\n1\t3,25\n", "wert"), HasSubstr("'3,25' is no number"));
}

TEST_F(CsvColumns, AreCutAtTheSeparatorAndNotAtADecimalComma) {
  EXPECT_THAT(read("1,5;2,5\n3,5;4,5\n", "1").numbers, ElementsAre(1.5, 3.5));
  EXPECT_THAT(read("\"a,b,c\"\tv\n7\t8\n", "v").numbers, ElementsAre(8));
  EXPECT_THAT(read("\"a;b\",v\n7,8\n", "v").numbers, ElementsAre(8));
  EXPECT_THAT(complaint("v\n20,1\n21,2\n"),
              AllOf(HasSubstr("Line 2"), HasSubstr("decimal comma are read between semicolons")));
}

TEST_F(CsvColumns, WithThousandsAreRefusedWhereAMarkMayBeEither) {
  EXPECT_THAT(complaint("k;v\n1;999,5\n2;1.000\n", "v"),
              AllOf(HasSubstr("Line 3"), HasSubstr("'1.000' has another decimal mark")));
  EXPECT_THAT(complaint("k;v\n1;990\n2;1.000\n3;1.010\n", "v"),
              HasSubstr("whether '1.000' is a thousand"));
  EXPECT_THAT(complaint("k;v\n1;1,234\n2;990\n", "v"), HasSubstr("whether '1,234' is a thousand"));
  EXPECT_THAT(read("k;v\n1;990\n2;1.000\n3;1.5\n", "v").numbers, ElementsAre(990, 1, 1.5));
  EXPECT_THAT(read("k;v\n1;2\n2;0,125\n", "v").numbers, ElementsAre(2, 0.125));
  EXPECT_THAT(read("k;v\n1;1.125\n2;2.250\n", "v").numbers, ElementsAre(1.125, 2.25));
  EXPECT_THAT(read("k,v\n1,1.000\n2,990\n", "v").numbers, ElementsAre(1, 990));
}

TEST_F(CsvColumns, BeginWhereItIsPlain) {
  // Dates are no names.
  EXPECT_THAT(complaint("2024-01-01,20.5\n2024-01-02,21.5\n", "2"),
              AllOf(HasSubstr("'20.5'"), HasSubstr("line of names")));
  EXPECT_THAT(read("2024-01-01,20.5\n2024-01-02,21.5\n", "20.5").numbers, ElementsAre(21.5));
  EXPECT_THAT(read("2023,2024\n1,2\n3,4\n", "2024").numbers, ElementsAre(2, 4));
  EXPECT_THAT(read("2023,2024\n1,2\n3,4\n", "2").numbers, ElementsAre(2024, 2, 4));
  EXPECT_THAT(read("\n\nv\n1\n").numbers, ElementsAre(1));
}

TEST_F(CsvColumns, EndAtTheirLastLine) {
  EXPECT_EQ(read("v\n1\n2\n").empty_at_end, 0);
  EXPECT_EQ(read("v\n1\n2").empty_at_end, 0);
  const CsvColumn column = read("v\n1\n2\n\n \n");
  EXPECT_THAT(column.numbers, ElementsAre(1, 2));
  EXPECT_EQ(column.empty_at_end, 2);
}

TEST_F(CsvColumns, OfEveryProgramsLineEnds) {
  EXPECT_THAT(read("v\r10\r20\r30\r").numbers, ElementsAre(10, 20, 30));
  EXPECT_THAT(read("v\r\n10\r\n20\r\n").numbers, ElementsAre(10, 20));
}

TEST_F(CsvColumns, AreListedForAQuestion) {
  const auto columns = [&](const std::string& text) {
    put_file(folder_.path() / "data.csv", text);
    return csv_columns(folder_.path() / "data.csv");
  };
  EXPECT_THAT(columns("a;b\n1;2\n"), ElementsAre("a", "b"));
  EXPECT_THAT(columns("1,2,3\n4,5,6\n"), ElementsAre("1", "2", "3"));
  EXPECT_THAT(columns("only"), ElementsAre("only"));
}

TEST_F(CsvColumns, OfManyFieldsTakeTheMemoryOfTheirNumbers) {
  std::string text = "a,b\n";
  for (int line = 0; line < 300'000; ++line) text += "1,2\n";
  EXPECT_EQ(read(text, "b").numbers.size(), 300'000u);
  EXPECT_THAT(complaint(std::string(200'000, ',')), HasSubstr("more than 100000 columns"));
}

TEST_F(CsvColumns, SayWhatIsNotThere) {
  EXPECT_THAT(read("v\n1\nNaN\n3\nNA\n-\nnull\n").numbers,
              ElementsAre(1, IsNan(), 3, IsNan(), IsNan(), IsNan()));
  EXPECT_THAT(read("v\n#N/A\n<NA>\n1\n n/a\n.\n").numbers,
              ElementsAre(IsNan(), IsNan(), 1, IsNan(), IsNan()));
  EXPECT_THAT(read("t,v\n1,5\n2,\n3, 7 \n", "v").numbers, ElementsAre(5, IsNan(), 7));
  // An empty line is a number that is not there; empty lines at the end are none.
  EXPECT_THAT(read("v\r\n1\r\n\r\n3\r\n\r\n").numbers, ElementsAre(1, IsNan(), 3));
  EXPECT_THAT(read("\xEF\xBB\xBFv\n1\n").name, "v");
}

TEST_F(CsvColumns, AreRefusedWithTheLine) {
  EXPECT_THAT(complaint("v\n1\n2x\n"), AllOf(HasSubstr("Line 3"), HasSubstr("'2x' is no number")));
  EXPECT_THAT(complaint("v\n1\ninf\n"), HasSubstr("'inf' is no number"));
  EXPECT_THAT(complaint("v\n1\n1e999\n"), HasSubstr("'1e999' is no number"));
  EXPECT_THAT(complaint("a,b\n1,2\n3\n", "a"),
              AllOf(HasSubstr("Line 3"), HasSubstr("has 1 field,"), HasSubstr("has 2")));
  EXPECT_THAT(complaint("a,a\n1,2\n", "a"), HasSubstr("several columns 'a'"));
  EXPECT_THAT(complaint("v\n\"1\n2\n"), HasSubstr("quotation mark"));
  EXPECT_THAT(complaint(""), HasSubstr("no columns"));
  EXPECT_THAT(complaint("v\n"), HasSubstr("no numbers"));
  EXPECT_THAT(complaint("v\nNA\n?\n"), HasSubstr("holds no numbers in its column 'v'"));
  EXPECT_THAT(complaint(std::string("v\n1\n\0\n", 7)), HasSubstr("is no number"));
}

}  // namespace
}  // namespace xlab::tests
