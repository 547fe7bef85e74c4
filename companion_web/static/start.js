// The QR code on the console holds the token as fragment, which no browser sends: it is typed in here, and taken out of the address.

const given = decodeURIComponent(location.hash.slice(1));
if (given) {
  const code = document.getElementById('code');
  code.value = given;
  history.replaceState(null, '', location.pathname);
  code.form.querySelector('button').focus();
}
