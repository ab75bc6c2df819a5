// The question before a large model is read.
#include "app/weights_question.hpp"

#include <QCoreApplication>
#include <QFileInfo>
#include <QMessageBox>
#include <QPushButton>
#include <array>

#include "core/bytes_text.hpp"

namespace xlab::app {

std::optional<int> ask_for_bits(const std::string& path, const WeightsToHold& weights,
                                QWidget* parent) {
  const auto words = [](const char* text) {
    return QCoreApplication::translate("WeightsQuestion", text);
  };
  const auto size = [](double bytes) { return QString::fromStdString(bytes_text(bytes)); };
  QMessageBox box(QMessageBox::Question, words("Large model"),
                  words("What are the weights of '%1' to be held in?")
                      .arg(QFileInfo(QString::fromStdString(path)).fileName()),
                  QMessageBox::Cancel, parent);
  box.setTextFormat(Qt::PlainText);
  box.setInformativeText(
      words("They are only read: this computer cannot train the model. It has %1 of memory for "
            "them. In fewer bits they are rounded, and take less memory and time.")
          .arg(size(weights.room)));
  struct Choice {
    int bits;
    double bytes;
    QString name;
    QPushButton* button = nullptr;
  };
  std::array<Choice, 3> choices = {{{0, weights.as_stored, words("As &stored (%1)")},
                                    {8, weights.in_8_bits, words("In &8 bits (%1)")},
                                    {4, weights.in_4_bits, words("In &4 bits (%1)")}}};
  QPushButton* first = nullptr;  // with room
  for (Choice& choice : choices) {
    choice.button = box.addButton(choice.name.arg(size(choice.bytes)), QMessageBox::AcceptRole);
    choice.button->setEnabled(choice.bytes <= weights.room);
    if (!choice.button->isEnabled()) {
      choice.button->setToolTip(words("There is no room for them."));
    } else if (!first) {
      first = choice.button;
    }
  }
  if (first) {
    box.setDefaultButton(first);
  } else {
    box.setDefaultButton(QMessageBox::Cancel);
  }
  box.exec();
  for (const Choice& choice : choices)
    if (box.clickedButton() == choice.button) return choice.bits;
  return {};
}

}  // namespace xlab::app
