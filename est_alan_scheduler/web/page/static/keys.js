// The keyboard.
