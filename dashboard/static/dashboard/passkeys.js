// What allauth's script for passkeys leaves to us: browsers without them, and saying what went wrong.
const WHY = {
  NotAllowedError: 'Nothing was used: there is no passkey for this page here, or the window was closed. Try again.',
  InvalidStateError: 'That device is already one of your keys.',
  SecurityError: 'Passkeys work on this page’s own name only, over https or on localhost.',
};

const trouble = document.querySelector('[data-passkey-trouble]');

document.addEventListener('allauth.error', (event) => {
  event.preventDefault();
  trouble.querySelector('span').textContent =
    WHY[event.detail.exception.name] ?? 'That did not work. Reload the page and try again.';
  trouble.hidden = false;
});

if (window.PublicKeyCredential) {
  for (const button of document.querySelectorAll('[data-passkey]')) button.hidden = false;
}
