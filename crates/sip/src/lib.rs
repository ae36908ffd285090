//! SIP glue: dialogs and offer/answer to call events and back.
