// Signs the digest on the page with a passkey and sends the answer in the form. Nothing else happens here.
"use strict";
const form = document.getElementById("sign");
const options = JSON.parse(document.getElementById("options").textContent);
const said = document.getElementById("said");
form.hidden = false;
form.addEventListener("submit", async (event) => {
  if (form.elements.response.value) return;
  event.preventDefault();
  said.textContent = "";
  try {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey);
    const answer = await navigator.credentials.get({ publicKey });
    form.elements.response.value = JSON.stringify(answer.toJSON());
    form.submit();
  } catch (error) {
    said.textContent = said.dataset.failed;
  }
});
